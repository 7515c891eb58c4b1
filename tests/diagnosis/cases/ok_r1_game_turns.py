"""Players wait for their turn, which a game gives to one after the other, by design, after each
has thought for 0.1 s."""
import asyncio


async def player(turns, moved, n):
    while await turns[n].get() is not None:
        await asyncio.sleep(0.1)
        await moved.put(n)


async def main():
    turns, moved = [asyncio.Queue() for _ in range(5)], asyncio.Queue()
    players = [asyncio.create_task(player(turns, moved, n)) for n in range(5)]
    for _ in range(3):
        for n in range(5):
            await turns[n].put("go")
            await moved.get()
    for t in turns:
        await t.put(None)
    await asyncio.gather(*players)


asyncio.run(main())
