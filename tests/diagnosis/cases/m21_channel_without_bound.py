"""A channel of trio without bound, whose only reader is slower than what comes
(https://github.com/python-trio/trio/issues/1626).
truth: memory channel of math.inf; `produce` 2 ms, `consume` 8 ms each: it grows to hundreds.
queue grows."""
import math, trio


async def save(x): await trio.sleep(0.008)


async def consume(ch):
    async for x in ch: await save(x)


async def produce(ch):
    async with ch:
        for i in range(2000): await ch.send(i); await trio.sleep(0.002)


async def main():
    s, r = trio.open_memory_channel(math.inf)
    with trio.move_on_after(1.6):
        async with trio.open_nursery() as n: n.start_soon(produce, s); n.start_soon(consume, r)
trio.run(main)
