"""A home-made pool that keeps up."""
import threading, time
jobs, cond, out = [], threading.Condition(), []
def run():
    while True:
        with cond:
            while not jobs: cond.wait()
            j = jobs.pop(0)
        if j is None: return
        time.sleep(0.01); j.set()
ws = [threading.Thread(target=run, name=f"w-{i}") for i in range(4)]
for w in ws: w.start()
for i in range(60):
    e = threading.Event()
    with cond: jobs.append(e); cond.notify()
    e.wait(); time.sleep(0.02)
with cond: jobs.extend([None] * 4); cond.notify_all()
for w in ws: w.join()
