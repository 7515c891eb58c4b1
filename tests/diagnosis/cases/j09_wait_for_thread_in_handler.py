"""A coroutine starts a thread and joins it (after reports of "I used a thread and it still
blocks").
truth: `send_mail` blocks the loop 4 x 0.1 s in Thread.join; `ping` is late."""
import asyncio
import threading
import time


def deliver():
    time.sleep(0.1)


async def send_mail():
    thread = threading.Thread(target=deliver)
    thread.start()
    thread.join()


async def ping():
    for _ in range(20):
        await asyncio.sleep(0.02)


async def main():
    await asyncio.gather(*(ping() for _ in range(5)), *(send_mail() for _ in range(4)))


asyncio.run(main())
