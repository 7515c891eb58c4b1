"""The workers are joined before their results are read
(https://github.com/python/cpython/issues/73983).
truth: main waits in `Process.join` in `finish` for workers that cannot write 400 kB into a full pipe."""
import multiprocessing
import queue


def analyse(part, results):
    results.put((part, bytes(400_000)))


def finish(workers):
    for worker in workers:
        worker.join(0.5)


def drain(results):
    found = 0
    try:
        while True:
            results.get(timeout=0.3)
            found += 1
    except queue.Empty:
        return found


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [context.Process(target=analyse, args=(n, results)) for n in range(3)]
    for worker in workers:
        worker.start()
    finish(workers)
    print(drain(results), [worker.exitcode for worker in workers])
    for worker in workers:
        worker.join()
