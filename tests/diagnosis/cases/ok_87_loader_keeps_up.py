"""HEALTHY: processes put batches into a bounded queue and mostly find room."""
import multiprocessing
import time


def decode(batches, number):
    for step in range(10):
        time.sleep(0.05)
        batches.put((number, step))


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    batches = context.Queue(4)
    workers = [context.Process(target=decode, args=(batches, n)) for n in range(2)]
    for worker in workers:
        worker.start()
    for _ in range(20):
        batches.get()
        time.sleep(0.005)
    for worker in workers:
        worker.join()
