"""Four workers wait at a condition for jobs, which come now and then."""
import threading
import time

changed, jobs, left = threading.Condition(), [], [4]


def work():
    while True:
        with changed:
            while not jobs:
                changed.wait()
            job = jobs.pop()
        if job is None:
            return
        time.sleep(0.02)


threads = [threading.Thread(target=work, name=f"worker-{n}") for n in range(4)]
for t in threads:
    t.start()
for n in range(12):
    time.sleep(0.15)
    with changed:
        jobs.append(n)
        changed.notify()
with changed:
    jobs.extend([None] * 4)
    changed.notify_all()
for t in threads:
    t.join()
