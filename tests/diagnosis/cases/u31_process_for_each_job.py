"""max_tasks_per_child=1: a new process for each tiny job (CPython issues on max_tasks_per_child).
truth: 16 jobs of 5 ms in processes that live 200 ms or more each, nearly all of it their start."""
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor


def shrink(n):
    end = time.process_time() + 0.005
    while time.process_time() < end:
        pass
    return n


def main():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, max_tasks_per_child=1) as pool:
        print(sum(pool.map(shrink, range(16))))


if __name__ == "__main__":
    main()
