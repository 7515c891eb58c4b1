"""A scheduler whose jobs are short hands the longer ones to a pool: all are on time."""

import sched
import threading
import time
from concurrent.futures import ThreadPoolExecutor

late = []


def backup():
    time.sleep(0.3)


def check_door(s, due, until):
    late.append(time.monotonic() - due)
    if due < until:
        s.enterabs(due + 0.04, 1, check_door, (s, due + 0.04, until))


def start_backup(s, pool, until):
    pool.submit(backup)
    if time.monotonic() < until:
        s.enter(0.5, 2, start_backup, (s, pool, until))


def run_jobs(pool):
    s = sched.scheduler(time.monotonic, time.sleep)
    now = time.monotonic()
    s.enterabs(now, 1, check_door, (s, now, now + 2))
    s.enter(0.1, 2, start_backup, (s, pool, now + 1.8))
    s.run()


with ThreadPoolExecutor(2, thread_name_prefix="backup") as pool:
    runner = threading.Thread(target=run_jobs, args=(pool,), name="scheduler")
    runner.start()
    runner.join()
print(len(late), "checks")
