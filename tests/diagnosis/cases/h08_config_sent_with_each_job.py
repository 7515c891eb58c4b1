"""Each job of a process pool gets the whole table (https://github.com/EntilZha/PyFunctional/issues/85).
truth: 24 jobs of 8 MB each: `main` pickles for most of its time, the jobs take microseconds."""
import concurrent.futures
import multiprocessing


def score(table, number):
    return table[number]


def main():
    table = [f"row {n}" for n in range(400_000)]
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        jobs = [pool.submit(score, table, number) for number in range(12)]
        print(len([job.result() for job in jobs]))


if __name__ == "__main__":
    main()
