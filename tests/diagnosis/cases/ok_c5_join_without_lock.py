"""HEALTHY: children take a lock of multiprocessing for moments; the parent takes it too, and joins them without."""
import multiprocessing
import time


def worker(lock, total, n):
    for _ in range(10):
        time.sleep(0.05)
        with lock:
            total.value += n


def main():
    context = multiprocessing.get_context("fork")
    lock, total = context.Lock(), context.Value("i", 0)
    children = [context.Process(target=worker, args=(lock, total, n)) for n in range(3)]
    for child in children:
        child.start()
    with lock:
        total.value += 1
    for child in children:
        child.join(30)
    print(total.value)


main()
