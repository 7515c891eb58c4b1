"""Connections in a queue.Queue, kept during slow work.
truth: 8 threads share 2 connections; each is kept 100 ms asleep in `export`."""
import queue
import threading
import time

pool = queue.Queue()
for n in range(2):
    pool.put(f"connection {n}")


def export():
    connection = pool.get()
    try:
        time.sleep(0.1)
    finally:
        pool.put(connection)


threads = [threading.Thread(target=export, name=f"export-{n}") for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
