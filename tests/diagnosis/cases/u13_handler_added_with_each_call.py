"""get_logger() adds a handler each time, so each line is written again and again
(many Stack Overflow questions "Python logging prints messages multiple times").
truth: `get_logger` is called for each of 400 requests; request n writes n lines: 80,000 writes instead of 400; the
run takes seconds."""
import io
import logging
import logging.handlers
import os
import tempfile
import time

PATH = os.path.join(tempfile.mkdtemp(), "app.log")


def get_logger(name):
    logger = logging.getLogger(name)
    handler = logging.FileHandler(PATH)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return logger


def handle(n):
    log = get_logger("shop.orders")
    time.sleep(0.001)
    log.info("order %d stored", n)


for n in range(400):
    handle(n)
print(len(logging.getLogger("shop.orders").handlers), "handlers,", os.path.getsize(PATH), "bytes")
