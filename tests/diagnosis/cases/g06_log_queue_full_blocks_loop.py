"""A handler for logs puts into a bounded queue, and waits on the loop when it is full
(https://github.com/fluent/fluent-logger-python/issues/178).
truth: `emit` blocks the loop in `Queue.put` for some 30 ms again and again, since `ship` needs
30 ms per record; `ping` is late."""
import asyncio
import logging
import queue
import threading
import time


class Shipper(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = queue.Queue(5)
        threading.Thread(target=self.ship, name="shipper", daemon=True).start()

    def emit(self, record):
        self.records.put(record)

    def ship(self):
        while True:
            self.records.get()
            time.sleep(0.03)


log = logging.getLogger("app")
log.addHandler(Shipper())


async def handle(number):
    for step in range(3):
        log.warning("request %s, step %s", number, step)
        await asyncio.sleep(0.001)


async def ping():
    for _ in range(20):
        await asyncio.sleep(0.01)


async def main():
    await asyncio.gather(*(handle(n) for n in range(12)), ping(), ping())


asyncio.run(main())
