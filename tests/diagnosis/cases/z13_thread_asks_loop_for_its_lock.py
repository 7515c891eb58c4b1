"""A task keeps its lock while it awaits a thread that asks the loop for what needs the lock
(as "run_coroutine_threadsafe deadlock" reports).
truth: `sync_all` has the asyncio.Lock `state_lock` and awaits to_thread(`export`), whose thread waits in
result(1.5) for the coroutine `snapshot`, which wants that lock: a circle."""
import asyncio


class Store:
    def __init__(self):
        self.state_lock = asyncio.Lock()
        self.rows = {n: n for n in range(100)}

    async def snapshot(self):
        async with self.state_lock:
            return dict(self.rows)

    def export(self, loop):
        future = asyncio.run_coroutine_threadsafe(self.snapshot(), loop)
        try:
            return len(future.result(1.5))
        except TimeoutError:
            return 0

    async def sync_all(self):
        async with self.state_lock:
            self.rows[0] += 1
            n = await asyncio.to_thread(self.export, asyncio.get_running_loop())
        print("exported", n)


async def reader(store, n):
    for _ in range(15):
        async with store.state_lock:
            store.rows.get(n)
        await asyncio.sleep(0.02)


async def main():
    store = Store()
    readers = [asyncio.create_task(reader(store, n), name=f"reader-{n}") for n in range(3)]
    await asyncio.sleep(0.15)
    await asyncio.create_task(store.sync_all(), name="sync_all")
    await asyncio.gather(*readers)


asyncio.run(main())
