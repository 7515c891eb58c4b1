"""Keep-alive pings are late, since jobs in threads compute in Python
(https://github.com/python-websockets/websockets/issues/1430, NousResearch/hermes-agent#51841).
truth: 3 jobs of asyncio.to_thread compute in `embed` for about 0.6 s of CPU each; 20 connections' `keepalive`
want to ping every 20 ms and are late, since MainThread waits for the GIL."""
import asyncio
import time


def embed(text):
    end = time.thread_time() + 0.6
    value = 0
    while time.thread_time() < end:
        for n in range(2000):
            value = (value * 31 + n) % 65537
    return value


async def keepalive(connection, late):
    while True:
        since = time.perf_counter()
        await asyncio.sleep(0.02)
        late.append(time.perf_counter() - since - 0.02)


async def agent(n):
    return await asyncio.to_thread(embed, f"document {n}")


async def main():
    late = []
    pings = [asyncio.create_task(keepalive(n, late)) for n in range(20)]
    await asyncio.sleep(0.1)
    await asyncio.gather(*(agent(n) for n in range(3)))
    for ping in pings:
        ping.cancel()
    print(f"{len(late)} pings, late {sum(late):.2f} s in all, at most {max(late):.3f} s")


asyncio.run(main())
