"""A task waits for the result of another task, which needs a thread of the same worker
(as the documentation of Celery warns).
truth: both threads run `make_report` and wait 1.5 s in `get` for `load_page`, which no thread is free to run."""
import os
import threading
import time

import celery
from celery.result import allow_join_result

app = celery.Celery("q17", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.worker_prefetch_multiplier = 10
app.conf.broker_connection_retry_on_startup = True


@app.task
def load_page():
    return 1


@app.task
def make_report():
    with allow_join_result():
        try:
            return load_page.delay().get(timeout=1.5)
        except Exception:
            return None


def produce(worker):
    make_report.delay()
    make_report.delay()
    time.sleep(2.5)
    worker.stop()


worker = app.Worker(pool="threads", concurrency=2, loglevel="CRITICAL", without_heartbeat=True,
                    without_gossip=True, without_mingle=True)
threading.Thread(target=produce, args=(worker,), daemon=True).start()
try:
    worker.start()
except SystemExit:
    pass
