"""A log file is compressed when it is rotated, while the handler has its lock
(https://github.com/Delgan/loguru/issues/837).
truth: 6 threads `api-N` wait for the lock of the handler while one compresses in `rotator`."""
import gzip
import logging
import logging.handlers
import os
import tempfile
import threading

PATH = tempfile.mkdtemp() + "/api.log"


def compress(source, target):
    with open(source, "rb") as plain, gzip.open(target + ".gz", "wb", compresslevel=9) as packed:
        packed.write(plain.read())
    os.remove(source)


handler = logging.handlers.RotatingFileHandler(PATH, maxBytes=1_500_000, backupCount=3)
handler.rotator = compress
log = logging.getLogger("api")
log.addHandler(handler)
log.setLevel(logging.INFO)
LINE = os.urandom(20_000).hex()


def serve():
    for number in range(45):
        log.info("%s %s", number, LINE)


threads = [threading.Thread(target=serve, name=f"api-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
