"""Each request deep-copies a large configuration on the loop (after reports of `deepcopy` in
settings).
truth: `handle` blocks the loop some 100 ms in `copy.deepcopy`, 5 times; `ping` is late."""
import asyncio
import copy

config = {f"key {n}": {"values": [n, n + 1], "name": str(n)} for n in range(12_000)}


async def handle():
    return copy.deepcopy(config)


async def ping():
    for _ in range(20):
        await asyncio.sleep(0.01)


async def main():
    await asyncio.gather(*(ping() for _ in range(6)), *(handle() for _ in range(4)))


asyncio.run(main())
