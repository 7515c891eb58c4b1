"""Work is shared out by key to processes, and one key has most of it
(after reports of skewed partitions).
truth: `worker-0` works 1.2 s in `crunch`, its three siblings 20 ms each, then they wait."""
import multiprocessing
import time


def crunch(part):
    end = time.process_time() + part
    while time.process_time() < end:
        sum(range(1000))


def work(queue):
    while (part := queue.get()) is not None:
        crunch(part)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    queues = [context.Queue() for _ in range(4)]
    workers = [context.Process(target=work, args=(q,), name=f"worker-{n}") for n, q in enumerate(queues)]
    for worker in workers:
        worker.start()
    for number, part in enumerate((0.3, 0.02, 0.02, 0.02)):
        for _ in range(4 if number == 0 else 1):
            queues[number].put(part)
    for queue in queues:
        queue.put(None)
    for worker in workers:
        worker.join()
