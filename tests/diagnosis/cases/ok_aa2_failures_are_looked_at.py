"""HEALTHY: tasks fail now and then, and each failure is looked at (a callback, a gather)."""
import asyncio

failed = []


def note(task):
    if not task.cancelled() and task.exception():
        failed.append(task.exception())


async def send(n):
    await asyncio.sleep(0.02)
    if n % 3 == 0:
        raise ConnectionError("refused")
    return n


async def main():
    for n in range(40):
        task = asyncio.create_task(send(n))
        task.add_done_callback(note)
        await asyncio.sleep(0.01)
    results = await asyncio.gather(*(send(n) for n in range(30)), return_exceptions=True)
    print("truth", len(failed), sum(isinstance(r, Exception) for r in results))


asyncio.run(main())
