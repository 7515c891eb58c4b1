"""HEALTHY: processes put large results, which main reads before it joins them."""
import multiprocessing
import time


def analyse(jobs, results):
    while (job := jobs.get()) is not None:
        time.sleep(0.05)
        results.put((job, bytes(100_000)))


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    jobs, results = context.Queue(), context.Queue()
    workers = [context.Process(target=analyse, args=(jobs, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for job in range(20):
        jobs.put(job)
    print(sum(len(results.get()[1]) for _ in range(20)))
    for worker in workers:
        jobs.put(None)
    for worker in workers:
        worker.join()
