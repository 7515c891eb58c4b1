"""A process pool with max_tasks_per_child stops after its worker's last job
(https://github.com/python/cpython/issues/115634).
truth: MainThread waits 1.5 s in Future.result in `collect`: the only worker ended after its 2 jobs, and no other one was started for the 6 that are queued."""
import concurrent.futures as cf
import multiprocessing
import os
import time


def page(number):
    time.sleep(0.02)
    return number, os.getpid()


def collect(futures):
    done = []
    for future in futures:
        try:
            done.append(future.result(timeout=1.5))
        except cf.TimeoutError:
            print("truth only", len(done), "of", len(futures))
            break
    return done


if __name__ == "__main__":
    pool = cf.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=2)
    collect([pool.submit(page, n) for n in range(8)])
    os._exit(0)
