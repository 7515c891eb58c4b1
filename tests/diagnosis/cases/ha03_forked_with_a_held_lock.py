"""Threads and fork at the same time: the child inherits a lock that another thread held
(https://github.com/conda/conda-index/pull/44).

truth: `load` in the children waits for `cache_lock` that the parent's `refresher` thread held at the fork: nobody in
the child can release it; the parent waited 1.2 s for each child in `join` and killed it.
"""
import multiprocessing
import threading
import time

cache_lock = threading.Lock()
cache: dict[int, int] = {}
done = threading.Event()
held = threading.Event()


def refresher() -> None:
    while not done.is_set():
        with cache_lock:
            held.set()
            time.sleep(0.05)
        held.clear()
        time.sleep(0.001)


def load(number: int) -> None:
    with cache_lock:
        cache[number] = number * number


def main() -> None:
    fork = multiprocessing.get_context("fork")
    thread = threading.Thread(target=refresher, name="refresher")
    thread.start()
    for number in range(2):
        held.wait()
        child = fork.Process(target=load, args=(number,))
        child.start()
        child.join(1.2)
        if child.is_alive():
            child.terminate()
            child.join()
    done.set()
    thread.join()


main()
