"""Slow jobs have all threads of the scheduler, and the others run late
(https://github.com/agronholm/apscheduler/issues/474).
truth: 2 workers run `download` for 0.5 s each; `heartbeat` should run every 100 ms and waits."""
import time

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler


def download(n):
    time.sleep(0.5)


def heartbeat():
    pass


scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(2)})
for n in range(6):
    scheduler.add_job(download, args=(n,))
scheduler.add_job(heartbeat, "interval", seconds=0.1, max_instances=20)
scheduler.start()
time.sleep(2)
scheduler.shutdown()
