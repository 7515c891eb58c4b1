"""A coroutine prints to a pipe whose reader is slow, and the loop stands in write
(https://github.com/python/cpython/issues/88697 and many reports of slow logging).
truth: `log_lines` blocks the loop in os.write / print for 300 ms several times."""
import asyncio
import os
import threading
import time

reader, writer = os.pipe()


def slow_reader():
    while True:
        time.sleep(0.3)
        if len(os.read(reader, 65536)) < 10:
            return


async def log_lines():
    for _ in range(5):
        os.write(writer, b"x" * 65536)
        await asyncio.sleep(0.01)


async def heartbeat():
    while True:
        await asyncio.sleep(0.01)


async def main():
    threading.Thread(target=slow_reader, daemon=True).start()
    beats = [asyncio.create_task(heartbeat()) for _ in range(4)]
    await log_lines()
    for beat in beats:
        beat.cancel()


asyncio.run(main())
os.write(writer, b"end")
