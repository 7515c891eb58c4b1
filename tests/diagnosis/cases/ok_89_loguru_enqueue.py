"""Healthy: eight threads log to a file by way of loguru's own thread, and do a little work."""
import os
import tempfile
import threading
import time
import zlib

from loguru import logger

path = os.path.join(tempfile.mkdtemp(), "app.log")
logger.remove()
logger.add(path, enqueue=True, rotation="1 MB")


def handle(n):
    for k in range(25):
        time.sleep(0.03)
        zlib.crc32(os.urandom(20_000))
        logger.info("request {} of client {} done", k, n)


threads = [threading.Thread(target=handle, args=(n,), name=f"client-{n}") for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
logger.complete()
