"""Pools with everything that can go wrong in them; prints what a program sees of it.

Started with a start method. What it prints is the same whoever watches.
"""

import multiprocessing
import os
import queue
import signal
import sys
import time
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from typing import Any


class Unpicklable:
    def __init__(self, name="it"):
        self.name = name

    def __reduce__(self):
        raise TypeError(f"cannot pickle {self.name}")

    def __repr__(self):
        return f"Unpicklable({self.name})"


class Nested:
    """What pickling it pickles and sends something else."""

    def __reduce__(self):
        pipe = multiprocessing.SimpleQueue()  # type: ignore[var-annotated]
        pipe.put("inner")
        return str, (pipe.get(),)


class Raises:
    """Cannot be read back."""

    def __reduce__(self):
        return int, ("no number",)


def give(value):
    return value


def give_unpicklable(value):
    return Unpicklable("result")


def raise_unpicklable(value):
    raise ValueError(Unpicklable("argument"))


def kill(value):
    os.kill(os.getpid(), signal.SIGKILL)


def leave(value):
    raise SystemExit(value)


given: list[Any] = []


def begin(value):
    given.append(value)


def ask(value):
    return given[-1] + value


def wait(value):
    given[-1].wait()
    return value


def told(call):
    """The outcome of a call, without what differs from run to run."""
    try:
        return repr(call())
    except BaseException as error:
        if isinstance(error, BrokenExecutor):  # its cause is there on some runs only
            return f"{type(error).__name__}({str(error)[:60]})"
        cause = type(error.__cause__).__name__
        text = str(error.__cause__).count("Traceback") if error.__cause__ else 0
        return f"{type(error).__name__}({str(error)[:60]}) from {cause} {text}"


def executor(context, **options):
    return ProcessPoolExecutor(2, mp_context=context, **options)


def faults(context):
    with executor(context) as pool:
        yield "value", lambda: pool.submit(give, 1).result()
        yield "call", lambda: pool.submit(give, Unpicklable()).result()
        yield "result", lambda: pool.submit(give_unpicklable, 1).result()
        yield "exception", lambda: pool.submit(raise_unpicklable, 1).result()
        yield "nested", lambda: pool.submit(give, Nested()).result()
        yield "exit", lambda: pool.submit(leave, 3).result()
        yield "map", lambda: list(pool.map(give, range(7), chunksize=3))
        yield "empty", lambda: list(pool.map(give, []))
        yield "after all", lambda: pool.submit(give, 2).result()
    with executor(context) as pool:
        yield "unreadable", lambda: pool.submit(give, Raises()).exception() is not None
    with executor(context) as pool:
        yield "killed", lambda: pool.submit(kill, 1).result()
        yield "broken", lambda: pool.submit(give, 1).result()
    with executor(context, initializer=begin, initargs=(40,)) as pool:
        yield "initializer", lambda: pool.submit(ask, 2).result()
    if context.get_start_method() != "fork":
        with executor(context, max_tasks_per_child=1) as pool:
            yield "renewed", lambda: len({pool.submit(os.getpid).result() for _ in range(3)})
    event = context.Event()
    pool = executor(context, initializer=begin, initargs=(event,))
    submitted = [pool.submit(wait, n) for n in range(20)]  # at most five leave the parent
    cancelled = submitted[-1].cancel()
    yield "cancel", lambda: cancelled and submitted[-1].result()
    event.set()
    yield "begun before", lambda: submitted[0].result()
    pool.shutdown(cancel_futures=True)
    yield "cancelled", lambda: all(future.done() for future in submitted)
    with context.Pool(2, begin, (1,)) as pool:
        yield "apply", lambda: pool.apply(ask, (1,))
        yield "keywords", lambda: pool.apply(give, kwds={"value": 5})
        yield "pool call", lambda: pool.apply(give, (Unpicklable(),))
        yield "pool result", lambda: pool.apply(give_unpicklable, (1,))
        yield "pool exception", lambda: pool.apply(int, ("x",))
        yield "pool map", lambda: pool.map(give, range(9), chunksize=2)
        yield "pool empty", lambda: pool.map(give, [])
        yield "some fail", lambda: pool.map(int, ["1", "x", "2"], chunksize=1)
        yield "imap", lambda: list(pool.imap(give, (n for n in range(5))))
        yield "imap fails", lambda: list(pool.imap(give, (1 // (2 - n) for n in range(5))))
        yield "unordered", lambda: sorted(pool.imap_unordered(give, range(5), chunksize=2))
        yield "star", lambda: pool.starmap(pow, [(2, 3), (3, 2)])
        answers: queue.SimpleQueue[int] = queue.SimpleQueue()
        pool.apply_async(give, (8,), callback=answers.put)
        yield "callback", answers.get
        pool.close()
        pool.join()
    event = context.Event()
    with context.Pool(1, begin, (event,)) as pool:
        late = pool.apply_async(wait, (6,))
        yield "time-out", lambda: late.get(0.01)
        event.set()
        yield "in time", late.get
    with context.Pool(1, maxtasksperchild=2) as pool:
        yield "max tasks", lambda: len({pool.apply(os.getpid) for _ in range(4)})
    pool = context.Pool(2)
    pool.map_async(time.sleep, [60, 60])
    pool.terminate()
    pool.join()
    yield "terminated", lambda: pool._state


if __name__ == "__main__":
    for name, call in faults(multiprocessing.get_context(sys.argv[1])):
        print(name, told(call), flush=True)
