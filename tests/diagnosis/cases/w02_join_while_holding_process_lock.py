"""The parent keeps the multiprocessing lock of the results while it joins the child that needs it
(https://github.com/Ackee-Blockchain/wake/pull/344).
truth: MainThread holds the lock and waits in Process.join of `worker-1`, which waits for the lock in `store`,
until the join gives up after 1.2 s."""
import multiprocessing
import time


def worker(lock, ready, results):
    ready.set()
    time.sleep(0.05)
    store(lock, results)


def store(lock, results):
    with lock:
        results.value += 1


def stop(lock, process):
    with lock:
        process.join(1.2)
        return process.is_alive()


def main():
    context = multiprocessing.get_context("fork")
    lock, ready, results = context.Lock(), context.Event(), context.Value("i", 0)
    process = context.Process(target=worker, args=(lock, ready, results), name="worker-1")
    process.start()
    ready.wait()
    print("truth still alive", stop(lock, process))
    process.join()


main()
