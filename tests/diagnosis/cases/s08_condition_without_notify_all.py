"""One `notify` for several who wait at an asyncio.Condition for different keys
(after reports of caches whose waiters time out now and then).
truth: `wait_for_key` of the last key wakes up 1.1 s late: `notify` woke another one, which waits on."""
import asyncio


class Board:
    def __init__(self):
        self.condition, self.keys = asyncio.Condition(), set()

    async def wait_for_key(self, key):
        async with self.condition:
            await self.condition.wait_for(lambda: key in self.keys)

    async def post(self, key):
        async with self.condition:
            self.keys.add(key)
            self.condition.notify()


async def reader(board, key):
    try:
        await asyncio.wait_for(board.wait_for_key(key), 1.2)
    except TimeoutError:
        return f"{key} was never seen"
    return key


async def main():
    board = Board()
    readers = [asyncio.create_task(reader(board, key)) for key in "abc"]
    await asyncio.sleep(0.05)
    await board.post("c")
    print("truth", await asyncio.gather(*readers))


asyncio.run(main())
