"""CLEAN: four processes count under a lock that each keeps for a moment."""
import multiprocessing
import time


def update(lock, count):
    for _ in range(20):
        time.sleep(0.01)
        with lock:
            count.value += 1


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    lock, count = context.Lock(), context.Value("i", 0, lock=False)
    workers = [context.Process(target=update, args=(lock, count)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
