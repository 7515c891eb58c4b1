"""Tasks that start a game server and wait for it take all slots of the worker; nothing else is consumed
(https://github.com/upTee/upTee/issues/87).
truth: both threads of the worker are in `run_server`, in Popen.wait, 1.6 s; `send_mail` tasks wait behind them."""
import os
import subprocess
import threading
import time

import celery

app = celery.Celery("fa12", broker=os.environ["REDIS_URL"])
app.conf.worker_prefetch_multiplier = 10
app.conf.broker_connection_retry_on_startup = True
ran = []


@app.task
def run_server(port):
    subprocess.Popen(["sleep", "1.6"]).wait()


@app.task
def send_mail(at):
    ran.append(round(time.time() - at, 2))


def produce(worker):
    for n in range(2):
        run_server.delay(8303 + n)
    for n in range(8):
        send_mail.delay(time.time())
    time.sleep(2.6)
    print("truth mails waited", ran)
    worker.stop()


worker = app.Worker(pool="threads", concurrency=2, loglevel="ERROR", without_heartbeat=True,
                    without_gossip=True, without_mingle=True)
threading.Thread(target=produce, args=(worker,), name="producer", daemon=True).start()
try:
    worker.start()
except SystemExit:
    pass
