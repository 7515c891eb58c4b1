"""The process that should put the results has died, and the reader waits on
(https://github.com/python/cpython/issues/87971).
truth: MainThread waits 1.2 s in `Queue.get` in `collect` in vain; `loader` ended with exit code 1 long before."""
import multiprocessing
import queue
import sys


def load(results, parts):
    for part in range(parts):
        if part == 2:
            sys.stderr.close()
            raise MemoryError(part)
        results.put(part)


def collect(results, parts):
    found = []
    while len(found) < parts:
        try:
            found.append(results.get(timeout=1.2))
        except queue.Empty:
            return found
    return found


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    loader = context.Process(target=load, args=(results, 5), name="loader")
    loader.start()
    print(collect(results, 5))
    loader.join()
