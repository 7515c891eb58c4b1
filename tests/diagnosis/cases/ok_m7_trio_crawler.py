"""CLEAN: crawler on trio: 5 workers take URLs from a channel and put new ones into it."""
import trio
async def fetch(u): await trio.sleep(0.02)
async def worker(s, r, state):
    async for depth in r:
        await fetch(depth)
        state[0] += 1
        if depth < 4:
            for _ in range(3): state[1] += 1; await s.send(depth + 1)
        if state[0] == state[1]: s.close(); state[2].cancel()
async def main():
    s, r = trio.open_memory_channel(1000)
    async with trio.open_nursery() as n:
        state = [0, 1, n.cancel_scope]
        await s.send(0)
        for _ in range(5): n.start_soon(worker, s, r, state)
trio.run(main)
