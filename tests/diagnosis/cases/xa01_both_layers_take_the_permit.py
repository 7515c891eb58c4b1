"""A decorator takes a permit of one semaphore around both layers, a batch and its calls
(after https://github.com/banteg/multicall.py/issues/93).
truth: 3 tasks `portfolio` have all permits in `call` and await `fetch`, which waits for one there; 2.5 s."""
import asyncio
import functools


_sem = None


def semaphore():
    global _sem
    _sem = _sem or asyncio.Semaphore(3)
    return _sem


def limited(fn):
    @functools.wraps(fn)
    async def call(*args, **kw):
        async with semaphore():
            return await fn(*args, **kw)
    return call


class Node:
    async def request(self, method, params):
        await asyncio.sleep(0.02)
        return [method, params]


class Call:
    def __init__(self, node, target): self.node, self.target = node, target
    @limited
    async def fetch(self):
        return await self.node.request("eth_call", self.target)


class Multicall:
    def __init__(self, node, targets): self.calls = [Call(node, t) for t in targets]
    @limited
    async def aggregate(self):
        return await asyncio.gather(*(c.fetch() for c in self.calls))


async def portfolio(node, who):
    try:
        async with asyncio.timeout(2.5):
            return await Multicall(node, [f"{who}-{i}" for i in range(3)]).aggregate()
    except TimeoutError:
        print("timed out", who)


async def main():
    node = Node()
    await portfolio(node, "first")
    await asyncio.gather(*(asyncio.create_task(portfolio(node, f"w{i}"), name=f"portfolio-{i}") for i in range(5)))


asyncio.run(main())
