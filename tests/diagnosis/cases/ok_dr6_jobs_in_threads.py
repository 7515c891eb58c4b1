"""CLEAN: `schedule` only starts the report, in a thread; the heartbeat comes every 0.2 s.
"""

import threading
import time

import schedule


class Jobs:
    def __init__(self):
        self.beats = []

    def upload(self):
        time.sleep(0.9)

    def report(self):
        threading.Thread(target=self.upload, name="report").start()

    def heartbeat(self):
        self.beats.append(time.monotonic())


def run(stop):
    while not stop.is_set():
        schedule.run_pending()
        time.sleep(0.05)


def main():
    jobs, stop = Jobs(), threading.Event()
    schedule.every(0.2).seconds.do(jobs.heartbeat)
    schedule.every(1.2).seconds.do(jobs.report)
    t = threading.Thread(target=run, args=(stop,), name="scheduler")
    t.start()
    time.sleep(3)
    stop.set()
    t.join()
    gaps = [b - a for a, b in zip(jobs.beats, jobs.beats[1:])]
    print("truth gaps", [round(g, 2) for g in gaps])


main()
