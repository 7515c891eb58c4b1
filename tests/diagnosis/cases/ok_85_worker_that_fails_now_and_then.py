"""HEALTHY: a child fails, which is noticed at once, and another one does its work."""
import multiprocessing
import sys
import time


def load(results, part, fails):
    time.sleep(0.1)
    if fails:
        sys.exit(3)
    results.put(part)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    for part in range(5):
        for fails in (part == 2, False):
            child = context.Process(target=load, args=(results, part, fails))
            child.start()
            child.join()
            if child.exitcode == 0:
                break
    print(sorted(results.get() for _ in range(5)))
