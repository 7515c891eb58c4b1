"""A signal handler ends the pool whose result the main thread waits for
(https://github.com/python/cpython/issues/88628).
truth: MainThread waits 1.5 s in AsyncResult.get in `export` in vain: `on_hangup` has terminated the pool, nobody is left who computes the result."""
import multiprocessing
import os
import signal
import threading
import time


def render(page):
    time.sleep(0.8)
    return page


def on_hangup(number, frame):
    pool.terminate()


def export(pages):
    result = pool.map_async(render, pages)
    try:
        return result.get(timeout=1.8)
    except multiprocessing.TimeoutError:
        return "no result"


if __name__ == "__main__":
    pool = multiprocessing.get_context("fork").Pool(2)
    signal.signal(signal.SIGHUP, on_hangup)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGHUP)).start()
    begun = time.perf_counter()
    print("truth", export(range(4)), f"after {time.perf_counter() - begun:.2f} s")
