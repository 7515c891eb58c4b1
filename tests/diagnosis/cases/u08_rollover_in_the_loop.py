"""A rotating log file is compressed on the loop's thread when it is full
(https://github.com/ramses-rf/ramses_rf/issues/397, https://github.com/home-assistant/core/pull/4901).
truth: `compress` (rotator of the handler, called from logger.info in `handle`) takes 100 ms or more, several
times; 15 tasks wait."""
import asyncio
import logging
import logging.handlers
import lzma
import os
import tempfile

log = logging.getLogger("gateway")


def compress(source, target):
    with open(source, "rb") as old:
        data = old.read() + os.urandom(600_000)
    with open(target + ".xz", "wb") as new:
        new.write(lzma.compress(data, preset=6))
    os.remove(source)


async def handle(n):
    for k in range(30):
        await asyncio.sleep(0.01)
        log.info("client %d message %d %s", n, k, os.urandom(60).hex())


async def main():
    path = os.path.join(tempfile.mkdtemp(), "gateway.log")
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=15_000, backupCount=3)
    handler.rotator = compress
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    await asyncio.gather(*(handle(n) for n in range(15)))


asyncio.run(main())
