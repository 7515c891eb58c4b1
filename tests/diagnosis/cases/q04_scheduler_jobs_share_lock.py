"""All jobs of a scheduler take one lock around their request
(https://github.com/agronholm/apscheduler/issues/423).
truth: jobs of 4 threads wait for the Lock in `sync`; its holder sleeps 120 ms in `fetch`."""
import threading
import time

from apscheduler.schedulers.background import BackgroundScheduler

session_lock = threading.Lock()


def fetch(source):
    time.sleep(0.12)
    return source


def sync(source):
    with session_lock:
        fetch(source)


scheduler = BackgroundScheduler({"apscheduler.executors.default": {"class": "apscheduler.executors.pool:ThreadPoolExecutor", "max_workers": "8"}})
for source in ("mails", "orders", "stock", "prices"):
    scheduler.add_job(sync, "interval", [source], seconds=0.5)
scheduler.start()
time.sleep(2.2)
scheduler.shutdown()
