"""cpython (many reports): a job fails with an exception that cannot be unpickled; Pool.map never returns.

Truth: `check` raises BadRow(line, text), which pickle cannot make again; the pool's result thread dies of that
(TypeError), and `main` waits in AsyncResult.get until its time-out of 2 s.
"""
import multiprocessing
import os


class BadRow(Exception):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"{line}: {text}")


def check(number: int) -> int:
    if number == 5:
        raise BadRow(number, "empty")
    return number


def main() -> None:
    context = multiprocessing.get_context("fork")
    pool = context.Pool(2)
    result = pool.map_async(check, range(20), chunksize=1)
    try:
        print(sum(result.get(timeout=2)))
    except Exception as error:
        print(repr(error))
    for child in multiprocessing.active_children():
        child.kill()  # the pool cannot end them any more


main()
os._exit(0)
