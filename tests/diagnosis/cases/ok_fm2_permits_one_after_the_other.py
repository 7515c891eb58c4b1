"""Permits that are given back before others are asked for, and one of threads that is waited for
in a thread: nobody waits for long."""

import asyncio
import threading

gate, slots = asyncio.Semaphore(3), threading.Semaphore(2)


async def call():
    async with gate:
        await asyncio.sleep(0.01)


async def page():
    async with gate:
        await asyncio.sleep(0.02)
    for _ in range(3):
        await call()


async def render():
    await asyncio.to_thread(slots.acquire)
    try:
        await asyncio.sleep(0.02)
    finally:
        slots.release()


async def main():
    for _ in range(6):
        await asyncio.gather(*(page() for _ in range(4)), *(render() for _ in range(3)))
        await asyncio.sleep(0.1)


asyncio.run(main())
