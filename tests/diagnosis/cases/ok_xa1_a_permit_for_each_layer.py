"""Each layer has a semaphore of its own: a batch waits for its calls, and all end soon."""
import asyncio
import functools


_sems = {}


def semaphore(layer):
    return _sems.setdefault(layer, asyncio.Semaphore(3))


def limited(fn):
    @functools.wraps(fn)
    async def call(*args, **kw):
        async with semaphore(fn.__qualname__):
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
