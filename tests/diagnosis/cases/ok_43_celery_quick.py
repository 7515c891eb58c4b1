"""HEALTHY: a Celery worker with threads and short tasks."""
import os
import threading
import time

import celery

app = celery.Celery("ok_43", broker=os.environ["REDIS_URL"])
app.conf.broker_connection_retry_on_startup = True


@app.task
def send_mail():
    time.sleep(0.005)


def produce(worker):
    for n in range(60):
        send_mail.delay()
        time.sleep(0.02)
    worker.stop()


worker = app.Worker(pool="threads", concurrency=4, loglevel="ERROR", without_heartbeat=True,
                    without_gossip=True, without_mingle=True)
threading.Thread(target=produce, args=(worker,), daemon=True).start()
try:
    worker.start()
except SystemExit:
    pass
