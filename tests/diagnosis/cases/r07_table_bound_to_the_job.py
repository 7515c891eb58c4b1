"""Each job carries a table in a partial, which is pickled again and again
(https://github.com/joblib/joblib/issues/1733).
truth: 8 jobs `score` take 2 ms each; sending 30 MB with each takes most of the time."""
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context


def score(table, row):
    return table[row]


def main():
    table = [f"value number {n}" for n in range(300_000)]
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        jobs = [pool.submit(partial(score, table), row) for row in range(8)]
        print([len(job.result()) for job in jobs])


if __name__ == "__main__":
    main()
