"""HEALTHY: a Celery worker with processes and short tasks."""
import os
import signal
import threading
import time

import celery

app = celery.Celery("ok_74", broker=os.environ["REDIS_URL"])
app.conf.broker_connection_retry_on_startup = True


@app.task
def resize():
    time.sleep(0.005)


def produce():
    for n in range(40):
        resize.delay()
        time.sleep(0.03)
    os.kill(os.getpid(), signal.SIGTERM)


worker = app.Worker(pool="prefork", concurrency=2, loglevel="ERROR", without_heartbeat=True,
                    without_gossip=True, without_mingle=True)
threading.Thread(target=produce, daemon=True).start()
try:
    worker.start()
except SystemExit:
    pass
