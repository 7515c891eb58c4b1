"""Tokens in a bounded queue limit what runs: put takes a slot, get gives it back.
After https://github.com/aws/aws-parallelcluster-node/pull/461 and reports like it.

truth: 8 threads `job-N` share 2 slots, each kept for 0.15 s asleep in `upload`."""
import queue, threading, time
slots = queue.Queue(maxsize=2)
def upload(): time.sleep(0.15)
def run():
    slots.put(None)
    try: upload()
    finally: slots.get()
ts = [threading.Thread(target=lambda: [run() for _ in range(3)], name=f"job-{n}") for n in range(8)]
for t in ts: t.start()
for t in ts: t.join()
