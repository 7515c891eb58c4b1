"""Healthy: a metrics thread waits for an event with a time-out and is woken at exit."""
import atexit
import threading
import time

stop, counts = threading.Event(), []


def flush():
    while not stop.wait(5):
        counts.clear()


def shutdown():
    stop.set()
    thread.join()


thread = threading.Thread(target=flush, name="metrics")
thread.daemon = True
thread.start()
atexit.register(shutdown)
for n in range(60):
    counts.append(n)
    time.sleep(0.02)
