"""Main waits for all futures, but one job waits for an item that nobody puts
(after reports of batch jobs that never end).
truth: MainThread waits 1.2 s in `wait` in `run_batch` in vain; `merge` waits in Queue.get for a part that failed."""
import queue
from concurrent.futures import ThreadPoolExecutor, wait

parts = queue.Queue()


def load(number):
    if number == 2:
        raise ValueError(number)
    parts.put(number)


def merge(count):
    return sum(parts.get() for _ in range(count))


def run_batch(pool):
    futures = [pool.submit(load, n) for n in range(4)] + [pool.submit(merge, 4)]
    done, pending = wait(futures, timeout=1.2)
    parts.put(2)
    return len(done), len(pending)


with ThreadPoolExecutor(3, "batch") as pool:
    print(run_batch(pool))
