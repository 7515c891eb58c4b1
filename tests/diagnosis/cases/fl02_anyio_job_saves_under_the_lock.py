"""anyio: who has the store's lock awaits a thread, which asks the loop for what needs that lock ("from_thread.run hangs").
Truth: `update` has the Lock and awaits `merge`; `merge` waits in from_thread.run for `save`, which wants the Lock: 1.2 s,
until the time limit.
"""
import anyio
from anyio import from_thread, to_thread


class Store:
    def __init__(self):
        self.lock, self.data = anyio.Lock(), {}

    async def save(self, key, value):
        async with self.lock:
            await anyio.sleep(0.005)
            self.data[key] = value

    def merge(self, key, value):
        merged = self.data.get(key, 0) + value
        from_thread.run(self.save, key, merged)

    async def update(self, key, value):
        async with self.lock:
            await to_thread.run_sync(self.merge, key, value)


async def handle(store, n):
    with anyio.move_on_after(1.2) as limit:
        await store.update("visits", n)
    print("truth gave up", limit.cancelled_caught)


async def main():
    store = Store()
    async with anyio.create_task_group() as group:
        for n in range(2):
            group.start_soon(handle, store, n)


anyio.run(main)
