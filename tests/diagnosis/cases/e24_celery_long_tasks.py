"""Long tasks have all threads of a worker; short ones wait behind them
(https://github.com/celery/celery/issues/2788).
truth: 2 threads run `render`, 0.4 s each; 6 `send_mail` wait for one of them."""
import os
import threading
import time

import celery

app = celery.Celery("e24", broker=os.environ["REDIS_URL"])
app.conf.worker_prefetch_multiplier = 10
app.conf.broker_connection_retry_on_startup = True


@app.task
def render():
    time.sleep(0.4)


@app.task
def send_mail():
    pass


def produce(worker):
    for n in range(6):
        render.delay()
        send_mail.delay()
    time.sleep(2.5)
    worker.stop()


worker = app.Worker(pool="threads", concurrency=2, loglevel="ERROR", without_heartbeat=True,
                    without_gossip=True, without_mingle=True)
threading.Thread(target=produce, args=(worker,), daemon=True).start()
try:
    worker.start()
except SystemExit:
    pass
