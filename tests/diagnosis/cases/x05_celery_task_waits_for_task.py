"""Tasks of Celery wait for their subtasks with get(), and both threads of the worker do
(https://docs.celeryq.dev/en/stable/userguide/tasks.html, avoid launching synchronous subtasks).
truth: both workers are in `build_report` for 1.5 s; the tasks that would end that are never begun."""
import os, threading, time
from celery import Celery
url = os.environ["REDIS_URL"]
app = Celery("shop", broker=url, backend=url)
app.conf.worker_hijack_root_logger = False
app.conf.broker_connection_retry_on_startup = True
@app.task
def render_page(n): return n
@app.task
def build_report(n):
    from celery.result import allow_join_result
    with allow_join_result():
        return render_page.delay(n).get(timeout=1.5)
def send():
    time.sleep(0.8)
    for i in range(2): build_report.delay(i)
    time.sleep(2.2)
    app.control.shutdown()
threading.Thread(target=send, name="web", daemon=True).start()
app.worker_main(["worker", "-P", "threads", "-c", "2", "-l", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"])
