"""loguru with `enqueue=True` and a slow sink: the pipe to its thread is full, so all workers
stand in `os.write`, one after the other (https://github.com/Delgan/loguru/issues/1419).
truth: `Shipper.post` takes 12 ms for each record; the workers wait for that most of the time.
"""

import threading
import time

from loguru import logger


class Shipper:
    def __init__(self):
        self.shipped = 0

    def post(self, text):
        time.sleep(0.012)
        return len(text)

    def write(self, message):
        self.post(message)
        self.shipped += 1


def work(i, n):
    bound = logger.bind(worker=i)
    for k in range(n):
        time.sleep(0.015)
        bound.info("worker {} did {}", i, k)


def main():
    shipper = Shipper()
    logger.remove()
    logger.add(shipper.write, enqueue=True)
    ts = [threading.Thread(target=work, args=(i, 130), name=f"worker-{i}") for i in range(4)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    behind = shipper.shipped
    began = time.monotonic()
    logger.complete()
    print(
        "truth shipped at end",
        behind,
        "of 520; complete took",
        round(time.monotonic() - began, 2),
    )


if __name__ == "__main__":
    main()
