"""A lock that is tried, and skipped when somebody has it."""
import threading, time
lock = threading.Lock(); n = 0
def refresh():
    if not lock.acquire(blocking=False): return
    try: time.sleep(0.05)
    finally: lock.release()
def web():
    for _ in range(12): refresh(); time.sleep(0.1)
ts = [threading.Thread(target=web) for _ in range(4)]
for t in ts: t.start()
for t in ts: t.join()
