"""Healthy: APScheduler's jobs are much shorter than their intervals."""
import time

from apscheduler.schedulers.background import BackgroundScheduler


def job():
    time.sleep(0.05)


scheduler = BackgroundScheduler()
scheduler.add_job(job, "interval", seconds=0.3)
scheduler.add_job(job, "interval", seconds=0.5, id="other")
scheduler.start()
time.sleep(2.5)
scheduler.shutdown()
