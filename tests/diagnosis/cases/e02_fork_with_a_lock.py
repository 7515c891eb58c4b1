"""A process forks while another thread has a lock; in the child nobody can release it
(https://github.com/benoitc/gunicorn/issues/3529).
truth: the child waits in `boot` for the lock that `metrics` had at the fork, until it is killed."""
import os
import signal
import threading
import time

lock = threading.Lock()
taken = threading.Event()


def metrics():
    with lock:
        taken.set()
        time.sleep(0.5)


def boot():
    if lock.acquire(timeout=1.5):
        lock.release()


threading.Thread(target=metrics, name="metrics").start()
taken.wait()
pid = os.fork()
if pid == 0:
    boot()
    os._exit(0)
os.waitpid(pid, 0)
