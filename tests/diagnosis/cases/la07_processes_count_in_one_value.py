"""A common question: processes that count in one multiprocessing.Value are slower than one process.

Truth: 4 processes wait for the lock of one Value, taken for each word in `count`.
"""
import multiprocessing
import time


def count(words: list[str], total: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
    for word in words:
        with total.get_lock():
            total.value += len(word)


def main() -> None:
    context = multiprocessing.get_context("fork")
    total = context.Value("q", 0)
    words = ["word" * (number % 7) for number in range(60000)]
    begin = time.monotonic()
    workers = [context.Process(target=count, args=(words, total), name=f"counter-{n}") for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(total.value, round(time.monotonic() - begin, 2))


main()
