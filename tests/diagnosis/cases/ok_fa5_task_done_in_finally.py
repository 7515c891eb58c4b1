"""HEALTHY: workers call task_done in `finally`; some records fail; Queue.join returns when all are done."""
import queue
import threading
import time

jobs = queue.Queue()
failed = []


def parse(number):
    time.sleep(0.01)
    if number % 17 == 0:
        raise ValueError(number)


def work():
    while True:
        number = jobs.get()
        try:
            parse(number)
        except ValueError as error:
            failed.append(error)
        finally:
            jobs.task_done()


for n in range(4):
    threading.Thread(target=work, name=f"worker-{n}", daemon=True).start()
for n in range(200):
    jobs.put(n)
jobs.join()
print(len(failed))
