"""Healthy: who enters a job for a `sched.scheduler` wakes the thread that runs it, which waits in an event.

Truth: `send_now` waits for about 0.05 s each time."""

import sched
import threading
import time

wake = threading.Event()


def pause(seconds):
    if seconds and wake.wait(seconds):
        wake.clear()


jobs = sched.scheduler(time.monotonic, pause)


def run_timers():
    jobs.enter(1.5, 1, print, ("clean",))
    jobs.run()


def send_now():
    done = threading.Event()
    jobs.enter(0.05, 1, done.set)
    wake.set()
    done.wait()


thread = threading.Thread(target=run_timers, name="timers")
thread.start()
for _ in range(8):
    time.sleep(0.1)
    send_now()
thread.join()
