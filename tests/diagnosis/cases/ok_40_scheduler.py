"""HEALTHY: APScheduler runs quick jobs in time."""
import time

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler


def refresh(n):
    time.sleep(0.01)


scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(4)})
for n in range(5):
    scheduler.add_job(refresh, "interval", seconds=0.1, args=(n,), max_instances=3)
scheduler.start()
time.sleep(1.5)
scheduler.shutdown()
