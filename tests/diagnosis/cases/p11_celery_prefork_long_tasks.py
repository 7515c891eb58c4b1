"""Long tasks have both processes of a Celery worker; short ones wait behind them
(https://github.com/celery/celery/issues/3434).
truth: 2 processes run `transcode` (asleep 0.4 s each); 6 `notify` wait for one of them."""
import os
import signal
import threading
import time

import celery

app = celery.Celery("p11", broker=os.environ["REDIS_URL"])
app.conf.worker_prefetch_multiplier = 10
app.conf.broker_connection_retry_on_startup = True


@app.task
def transcode():
    time.sleep(0.4)


@app.task
def notify():
    pass


def produce():
    for n in range(6):
        transcode.delay()
        notify.delay()
    time.sleep(2.5)
    os.kill(os.getpid(), signal.SIGTERM)


worker = app.Worker(pool="prefork", concurrency=2, loglevel="ERROR", without_heartbeat=True,
                    without_gossip=True, without_mingle=True)
threading.Thread(target=produce, daemon=True).start()
try:
    worker.start()
except SystemExit:
    pass
