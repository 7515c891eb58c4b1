"""CLEAN: producer and consumers share an asyncio condition; time-outs now and then."""
import asyncio

items = []


async def consume(condition):
    while True:
        async with condition:
            try:
                await asyncio.wait_for(condition.wait_for(lambda: items), 0.1)
            except TimeoutError:
                continue
            if items.pop() is None:
                return


async def produce(condition):
    for number in range(10):
        await asyncio.sleep(0.05)
        async with condition:
            items.append(number)
            condition.notify()
    for _ in range(2):
        async with condition:
            items.append(None)
            condition.notify()


async def main():
    condition = asyncio.Condition()
    await asyncio.gather(consume(condition), consume(condition), produce(condition))


asyncio.run(main())
