"""2,500 devices are polled by tasks whose timers are all due at the same moment
(home-assistant/architecture discussions on "polling all at :00"; https://github.com/python/cpython/issues/100419).
truth: every 0.5 s, 2,500 `poll_device` tasks are ready at once, each computes 0.15 ms in `decode`; the last ones,
and `dashboard`, run 0.3 s late or more."""
import asyncio
import time


def decode(n):
    value = n
    for k in range(1500):
        value = (value * 1103515245 + k) % 2147483648
    return value


async def poll_device(n, until):
    while time.monotonic() < until:
        now = time.monotonic()
        await asyncio.sleep(0.5 - now % 0.5)
        decode(n)


async def dashboard(until):
    while time.monotonic() < until:
        await asyncio.sleep(0.02)


async def main():
    until = time.monotonic() + 1.8
    await asyncio.gather(dashboard(until), *(poll_device(n, until) for n in range(2500)))


asyncio.run(main())
