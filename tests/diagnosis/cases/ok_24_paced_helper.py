"""CLEAN: a daemon thread flushes every 0.7 s, paced by an event that is never set."""
import threading
import time

stop = threading.Event()


def flush():
    while not stop.wait(0.7):
        pass


threading.Thread(target=flush, name="flusher", daemon=True).start()
time.sleep(2.0)
