"""Healthy: tasks take turns at a lock of anyio for a moment each."""
import anyio


async def visit(lock, counts, number):
    for _ in range(12):
        async with lock:
            counts[number] = counts.get(number, 0) + 1
            await anyio.sleep(0)
        await anyio.sleep(0.04)


async def main():
    lock, counts = anyio.Lock(), {}
    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(visit, lock, counts, number)


anyio.run(main)
