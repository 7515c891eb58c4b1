"""An error ends a worker between get() and task_done(); Queue.join waits for ever
(https://runebook.dev/en/docs/python/library/queue/queue.Queue.join).
truth: MainThread waits 1.6 s in Queue.join in vain: `worker-1` took an item and ended without task_done (ValueError in `parse`); the others are idle."""
import queue
import threading
import time

jobs = queue.Queue()


def parse(number):
    if number == 7:
        raise ValueError(f"record {number}")
    time.sleep(0.01)


def work():
    while True:
        number = jobs.get()
        try:
            parse(number)
        except ValueError as error:
            print("error", error)
            break
        jobs.task_done()


def load():
    for n in range(20):
        jobs.put(n)
    jobs.join()


for n in range(3):
    threading.Thread(target=work, name=f"worker-{n}", daemon=True).start()
loader = threading.Thread(target=load, name="loader", daemon=True)
loader.start()
loader.join(1.7)
print("truth", "join did not return" if loader.is_alive() else "ended", jobs.unfinished_tasks)
