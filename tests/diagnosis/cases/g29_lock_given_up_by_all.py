"""The one who leads keeps the lock while it copies a file; all others give up after 0.4 s and fail
.

After https://github.com/roboflow/inference/issues/2772
"""
import threading
import time

lease = threading.Lock()


def copy_model():
    with lease:
        time.sleep(1.6)


def infer(n):
    time.sleep(0.1 + n * 0.1)
    if not lease.acquire(timeout=0.4):
        return
    lease.release()


threads = [threading.Thread(target=copy_model, name="leader")]
threads += [threading.Thread(target=infer, args=(n,), name=f"infer-{n}") for n in range(6)]
for t in threads:
    t.start()
for t in threads:
    t.join()
