"""An item is added without `notify`, so a consumer sleeps until its time-out
(after reports of `asyncio.Condition` that does not wake).
truth: `consume` waits 1.2 s in `wait_for` though the item came after 0.1 s; `produce` waits for it."""
import asyncio

items, done = [], None


async def consume(condition, done):
    async with condition:
        try:
            await asyncio.wait_for(condition.wait_for(lambda: items), 1.2)
        except TimeoutError:
            pass
    done.set()


async def produce(condition, done):
    await asyncio.sleep(0.1)
    items.append(1)
    await done.wait()


async def main():
    condition, done = asyncio.Condition(), asyncio.Event()
    await asyncio.gather(consume(condition, done), produce(condition, done))


asyncio.run(main())
