"""A job of a pool that the program made calls that pool and waits.
After https://github.com/python/cpython/issues/80961 and reports of nested calls.

truth: both workers `io-N` wait in `call` for `inner`, which is queued behind them."""
import queue, threading, time
jobs = queue.Queue()
def worker():
    while True:
        fn, done = jobs.get()
        fn(); done.set()
def call(fn):
    done = threading.Event(); jobs.put((fn, done))
    return done.wait(1.4)
def inner(): time.sleep(0.01)
def outer(): time.sleep(0.05); call(inner)
for n in range(2): threading.Thread(target=worker, name=f"io-{n}", daemon=True).start()
ts = [threading.Thread(target=call, args=(outer,), name=f"req-{n}") for n in range(2)]
for t in ts: t.start()
for t in ts: t.join()
