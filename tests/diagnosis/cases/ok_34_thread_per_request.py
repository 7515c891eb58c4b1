"""CLEAN: 40 short-lived threads, one for each request, a few at a time."""
import threading
import time


def handle():
    time.sleep(0.05)


threads = []
for n in range(40):
    thread = threading.Thread(target=handle, name=f"request-{n}")
    thread.start()
    threads.append(thread)
    time.sleep(0.02)
for thread in threads:
    thread.join()
