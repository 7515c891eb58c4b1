"""An executor takes a permit for each job that it accepts, and gives it back however the job
ends (after https://github.com/goodmanship/sqsworkers/pull/21).
truth: nothing is wrong: `submit` waits for room, and there always is some soon."""
import threading
import time
from concurrent.futures import ThreadPoolExecutor


class BoundedExecutor:
    def __init__(self, workers, backlog):
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="convert")
        self.room = threading.Semaphore(workers + backlog)

    def run(self, job, document):
        try:
            return job(document)
        finally:
            self.room.release()

    def submit(self, job, document):
        if not self.room.acquire(timeout=1.5):
            raise TimeoutError("no room")
        return self.pool.submit(self.run, job, document)


def convert(document):
    time.sleep(0.02)
    if document % 9 == 8:
        raise ValueError("broken document")
    return document * 2


executor, accepted = BoundedExecutor(2, 2), 0
try:
    for number in range(60):
        executor.submit(convert, number)
        accepted += 1
except TimeoutError as error:
    print("truth:", error, "after", accepted)
executor.pool.shutdown()
