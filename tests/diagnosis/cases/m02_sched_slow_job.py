"""One `sched` runs short and long jobs in turn: the short ones are late.
After https://github.com/dbader/schedule/issues/146. `check_door` is due every 50 ms; on the
thread `scheduler` it waits up to 0.4 s behind `backup`, which sleeps in `copy_files`."""

import queue
import sched
import threading
import time

events = queue.Queue()
late = []


def copy_files():
    time.sleep(0.4)


def backup(s, until):
    copy_files()
    if time.monotonic() < until:
        s.enter(0.2, 2, backup, (s, until))


def check_door(s, due, until):
    late.append(time.monotonic() - due)
    events.put("closed")
    if due < until:
        s.enterabs(due + 0.05, 1, check_door, (s, due + 0.05, until))


def run_jobs():
    s = sched.scheduler(time.monotonic, time.sleep)
    now = time.monotonic()
    s.enterabs(now + 0.05, 1, check_door, (s, now + 0.05, now + 2.4))
    s.enter(0.1, 2, backup, (s, now + 2.2))
    s.run()
    events.put(None)


def panel():
    seen = 0
    while events.get() is not None:
        seen += 1
    print(seen, "door states shown")


shown = threading.Thread(target=panel, name="panel")
shown.start()
runner = threading.Thread(target=run_jobs, name="scheduler")
runner.start()
runner.join()
shown.join()
print(f"latest check {max(late):.2f} s after it was due, {sum(late):.1f} s in all")
