"""A process that put a large item into a queue is joined before the item is read
(https://github.com/python/cpython/issues/73983).

truth: main waits in `join` for a child that cannot end: its feeder thread waits to write into the queue's pipe, which
only main would read, after the join.
"""
import multiprocessing


def produce(results: "multiprocessing.Queue[bytes]") -> None:
    results.put(b"x" * 1_000_000)


def main() -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    process = context.Process(target=produce, args=(results,), name="producer")
    process.start()
    process.join(2.0)
    print(len(results.get()))
    process.join()


main()
