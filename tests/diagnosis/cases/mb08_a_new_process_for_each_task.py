"""Many reports: `Pool(maxtasksperchild=1)`, against a leak, starts a process for each task.

Truth: each of 40 tasks of 5 ms gets a worker of its own, which first runs `load_model` (60 ms): most of the time.
"""
import multiprocessing
import time


def load_model() -> None:
    end = time.monotonic() + 0.06
    while time.monotonic() < end:
        pass


def predict(number: int) -> int:
    end = time.monotonic() + 0.005
    while time.monotonic() < end:
        pass
    return number


def main() -> None:
    context = multiprocessing.get_context("fork")
    begin = time.monotonic()
    with context.Pool(2, initializer=load_model, maxtasksperchild=1) as pool:
        print(sum(pool.map(predict, range(40), chunksize=1)), round(time.monotonic() - begin, 2))


main()
