"""Jobs of both kinds of pools whose arguments and results read the clock as they are pickled
and unpickled: with the readings around and in the call, each moment of a job is between two.

Started with a start method; prints one JSON object.
"""

import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

JOBS, SIZE = 5, 100_000
now = time.monotonic_ns


class Stamp:
    """Has the moments at which it was pickled and unpickled, in turn."""

    def __init__(self, *times):
        self.times = times

    def __reduce__(self):
        return unpickled, (*self.times, now())


def unpickled(*times):
    return Stamp(*times, now())


def job(number, first, data, last):
    begun = now()
    answer = [number, os.getpid(), *first.times, *last.times, begun]
    return Stamp(), data, answer, Stamp(), now()


def told(result, before, submitted):
    """The readings of one job, in the order of its life."""
    first, _, answer, last, ended = result
    number, pid, pickles, reads, pickled, read, begun = answer
    return {
        "number": number,
        "pid": pid,
        "submit": [before, submitted],
        "pickled": [pickles, pickled],
        "read": [reads, read],
        "run": [begun, ended],
        "result pickled": [first.times[0], last.times[0]],
        "result read": [first.times[1], last.times[1]],
    }


def run(submit, get):
    asked = []
    for number in range(JOBS):
        before = now()
        answer = submit(job, number, Stamp(), bytes(SIZE * number), Stamp())
        asked.append((answer, before, now()))
    return [told(get(answer), *times) | {"got": now()} for answer, *times in asked]


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        rows = run(executor.submit, lambda future: future.result())
    pool = context.Pool(2)
    others = run(lambda f, *args: pool.apply_async(f, args), lambda answer: answer.get())
    pool.close()
    pool.join()
    print(json.dumps([rows, others]))
