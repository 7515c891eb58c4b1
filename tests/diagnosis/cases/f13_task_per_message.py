"""A task per message, of which each waits for an answer that never comes
(https://github.com/aio-libs/aiokafka/issues/166 is of its kind).
truth: 300 tasks of `handle` pile up in `wait_for_ack`; none returns."""
import asyncio


async def wait_for_ack(pending):
    future = asyncio.get_running_loop().create_future()
    pending.append(future)
    await future


async def handle(pending, message):
    await asyncio.sleep(0.001)
    await wait_for_ack(pending)


async def consume(pending):
    tasks = set()
    for message in range(300):
        tasks.add(asyncio.create_task(handle(pending, message)))
        await asyncio.sleep(0.005)
    return tasks


async def main():
    pending = []
    tasks = await consume(pending)
    for task in tasks:
        task.cancel()


asyncio.run(main())
