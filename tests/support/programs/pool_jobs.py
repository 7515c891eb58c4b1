"""Jobs of both kinds of pools, which log their own times; the parent logs those around them.

Started with a start method; prints one JSON object.
"""

import contextlib
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

JOBS, SIZE = 4, 50_000


def timed(number, data=b""):
    """When it began and ended, and where: the truth about its job."""
    begun = time.monotonic_ns()
    answer = bytes(SIZE * number)
    return [number, os.getpid(), begun, time.monotonic_ns(), answer.hex()]


def failing(number):
    raise KeyError(number)


def called(function, *args):
    """The result of a call in the parent, with the times around it."""
    before = time.monotonic_ns()
    got = function(*args)
    return got, before, time.monotonic_ns()


def row(job, around):
    """What is to be in the trace of a job; the answer was as long as the job said."""
    number, pid, begun, ended, answer = job
    assert answer == "00" * SIZE * number
    return [number, pid, around[0], begun, ended, around[1]]


def executor(context):
    """One row a job: number, pid, before the submit, begin, end, after its result."""
    found = []
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        submitted = [called(pool.submit, timed, n, bytes(SIZE * n)) for n in range(JOBS)]
        for future, before, _ in submitted:
            found.append(row(future.result(), (before, time.monotonic_ns())))
        assert isinstance(pool.submit(failing, 9).exception(), KeyError)
    return found


def pool(context):
    """The same, with a list for each way to submit."""
    with context.Pool(2) as workers:
        ways = {}
        for name, call in (
            ("apply", lambda: [workers.apply(timed, (0,))]),
            ("map", lambda: workers.map(timed, range(JOBS), chunksize=2)),
            ("imap", lambda: list(workers.imap(timed, iter(range(JOBS))))),
            ("starmap", lambda: workers.starmap(timed, [(1, b"x")])),
        ):
            got, before, after = called(call)
            ways[name] = [row(job, (before, after)) for job in got]
        with contextlib.suppress(KeyError):
            workers.map(failing, [9])
        workers.close()  # the end of the `with` would send SIGTERM, in whatever they do then
        workers.join()
    return ways


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    print(json.dumps({"executor": executor(context), "pool": pool(context)}))
