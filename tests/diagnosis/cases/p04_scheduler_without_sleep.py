"""The main loop asks the scheduler again and again and never sleeps
(https://github.com/dbader/schedule/issues/156).
truth: MainThread computes all the time in `run_pending`, called in `main`; `writer` waits for the GIL."""
import threading
import time


class Scheduler:
    def __init__(self):
        self.jobs = []

    def every(self, seconds, job):
        self.jobs.append([time.monotonic() + seconds, seconds, job])

    def run_pending(self):
        for job in sorted(self.jobs, key=lambda job: job[0]):
            if time.monotonic() >= job[0]:
                job[2]()
                job[0] += job[1]


def rotate():
    pass


def serialise(rounds):
    for _ in range(rounds):
        sum(range(100_000))
        time.sleep(0.001)


def main():
    scheduler = Scheduler()
    scheduler.every(0.2, rotate)
    writer = threading.Thread(target=serialise, args=(120,), name="writer")
    writer.start()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        scheduler.run_pending()
    writer.join()


main()
