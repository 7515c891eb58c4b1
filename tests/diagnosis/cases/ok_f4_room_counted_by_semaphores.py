"""A bounded buffer of two semaphores, whose producer is slowed down by its consumer."""
import threading, time
empty, full, lock, buf = threading.Semaphore(3), threading.Semaphore(0), threading.Lock(), []
def push(x):
    empty.acquire()
    with lock: buf.append(x)
    full.release()
def store(x): time.sleep(0.05)
def encoder():
    while True:
        full.acquire()
        with lock: x = buf.pop(0)
        empty.release()
        if x is None: return
        store(x)
def camera():
    for i in range(40): time.sleep(0.002); push(i)
    push(None)
ts = [threading.Thread(target=f, name=f.__name__) for f in (camera, encoder)]
for t in ts: t.start()
for t in ts: t.join()
