"""A slow regular expression runs in a thread, but it keeps the GIL all the time
(after reports of `to_thread` that did not help).
truth: `validate` has the GIL for 0.3 s at a time, 3 times; the loop of MainThread stands still."""
import asyncio
import re
import time

pattern = re.compile(r"^(a+)+$")


def validate(text):
    return pattern.match(text)


def size_for(seconds):
    n = 18
    while True:
        before = time.thread_time()
        pattern.match("a" * n + "b")
        if time.thread_time() - before > seconds:
            return n
        n += 1


async def ping():
    for _ in range(50):
        await asyncio.sleep(0.01)


async def main(text):
    pings = [asyncio.create_task(ping()) for _ in range(4)]
    for _ in range(3):
        await asyncio.to_thread(validate, text)
    await asyncio.gather(*pings)


asyncio.run(main("a" * size_for(0.2) + "b"))
