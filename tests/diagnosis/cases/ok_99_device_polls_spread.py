"""Healthy: 400 devices are polled twice a second, spread over the time, and a dashboard ticks."""
import asyncio
import time


def decode(n):
    value = n
    for k in range(300):
        value = (value * 1103515245 + k) % 2147483648
    return value


async def poll_device(n, until):
    await asyncio.sleep(n / 800)
    while time.monotonic() < until:
        decode(n)
        await asyncio.sleep(0.5)


async def dashboard(until):
    while time.monotonic() < until:
        await asyncio.sleep(0.02)


async def main():
    until = time.monotonic() + 1.6
    await asyncio.gather(dashboard(until), *(poll_device(n, until) for n in range(400)))


asyncio.run(main())
