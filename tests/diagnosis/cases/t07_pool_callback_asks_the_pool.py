"""The callback of a pool of processes waits for another result of the same pool
(https://stackoverflow.com/questions/25408105).
truth: `refine`, called in the pool's result thread, waits for a result that only this thread could deliver."""
import multiprocessing
import threading


def measure(n):
    return n * n


class Study:
    def __init__(self, pool):
        self.pool = pool
        self.done = threading.Event()

    def refine(self, value):
        try:
            self.pool.apply_async(measure, (value,)).get(timeout=1.5)
        except multiprocessing.TimeoutError:
            print("truth: refine gave up")
        self.done.set()


def main():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        study = Study(pool)
        pool.apply_async(measure, (3,), callback=study.refine)
        study.done.wait(10)


if __name__ == "__main__":
    main()
