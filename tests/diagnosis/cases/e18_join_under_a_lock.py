"""A thread is joined by somebody who has the lock that the thread needs
(https://github.com/python/cpython/issues/116372).
truth: `stop` has the lock and joins `poller` for 1.2 s; `poller` waits for that lock."""
import threading
import time

lock = threading.Lock()
running = True


def poll():
    while running:
        time.sleep(0.05)
        with lock:
            pass


def stop(thread):
    with lock:
        thread.join(timeout=1.2)


poller = threading.Thread(target=poll, name="poller")
poller.start()
time.sleep(0.1)
stop(poller)
running = False
poller.join()
