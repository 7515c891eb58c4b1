"""The jobs of a process pool return whole tables, and most of the time goes into sending them
(https://github.com/joblib/joblib/issues/1309).
truth: 8 jobs `load_table` compute 5 ms and return 16 MB each."""
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def load_table(number):
    time.sleep(0.005)
    return [f"{number}-{row}" for row in range(400_000)]


def main():
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        print(sum(len(table) for table in pool.map(load_table, range(8))))


if __name__ == "__main__":
    main()
