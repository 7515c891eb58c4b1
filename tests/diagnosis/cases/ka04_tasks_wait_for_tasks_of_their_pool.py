"""Tasks that wait for other tasks of the same pool fill it: nothing goes on
(https://github.com/PrefectHQ/prefect/issues/14194).

truth: all 3 workers of the pool run `flow`, which waits for `task`s queued in the same pool behind them (2 s).
"""
import time
from concurrent.futures import ThreadPoolExecutor, TimeoutError

pool = ThreadPoolExecutor(3, thread_name_prefix="runner")


def task(number: int) -> int:
    return number + 1


def flow(number: int) -> int:
    time.sleep(0.05)
    dependency = pool.submit(task, number)
    try:
        return dependency.result(timeout=2.0)
    except TimeoutError:
        return -1


def main() -> None:
    print([run.result() for run in [pool.submit(flow, number) for number in range(3)]])
    pool.shutdown()


main()
