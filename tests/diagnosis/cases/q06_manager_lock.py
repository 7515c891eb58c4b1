"""Processes queue for a lock of a Manager while one of them works under it
(after reports of managers that make processes wait for each other).
truth: 4 processes wait for the manager's lock in `append_row`; its holder sleeps 100 ms in `render`."""
import multiprocessing
import time


def render(row):
    time.sleep(0.1)
    return row


def append_row(lock, rows, row):
    with lock:
        rows.append(render(row))


def work(lock, rows, first):
    for row in range(first, first + 4):
        append_row(lock, rows, row)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        lock, rows = manager.Lock(), manager.list()
        workers = [context.Process(target=work, args=(lock, rows, n * 4)) for n in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        print(len(rows))
