"""Four processes share a lock that each keeps while it asks a slow service
(after reports of `multiprocessing.Lock` in workers).
truth: `update` keeps the lock 0.25 s, asleep in `ask`; the others wait up to 0.75 s for it."""
import multiprocessing
import time


def ask():
    time.sleep(0.25)


def update(lock):
    with lock:
        ask()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    lock = context.Lock()
    workers = [context.Process(target=update, args=(lock,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
