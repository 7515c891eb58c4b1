"""A task waits for the result of another task of the same queue, and all workers do so
(https://github.com/coleifer/huey/issues/618).
truth: both workers are in `count_beans`, asking for the result of `check_beans`, which no worker is left to run."""
import logging
import threading
import time

from huey import MemoryHuey
from huey.exceptions import HueyException

logging.getLogger("huey").setLevel(logging.CRITICAL)
queue = MemoryHuey("beans")
outcome = []


@queue.task()
def check_beans(number):
    return number > 0


@queue.task()
def count_beans(number):
    answer = check_beans(number)
    try:
        outcome.append(answer.get(blocking=True, timeout=1.5))
    except HueyException:
        outcome.append("gave up")


consumer = queue.create_consumer(workers=2, periodic=False)
consumer.start()
for n in range(2):
    count_beans(n)
time.sleep(2.2)
stopper = threading.Thread(target=consumer.stop, kwargs={"graceful": True})
stopper.start()
stopper.join()
print("truth", outcome)
