"""Processes wait for room in a bounded queue whose reader is slow
(after reports of data loaders that wait for their consumer).
truth: 3 processes wait in `put` in `decode`; main sleeps 40 ms per item in `train`."""
import multiprocessing
import time


def decode(batches, number):
    for step in range(10):
        batches.put((number, step))


def train(batch):
    time.sleep(0.04)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    batches = context.Queue(2)
    workers = [context.Process(target=decode, args=(batches, n), name=f"decode-{n}") for n in range(3)]
    for worker in workers:
        worker.start()
    for _ in range(30):
        train(batches.get())
    for worker in workers:
        worker.join()
