"""Messages go to one of four workers by their key, and nearly all have the same one: three workers are idle
(after questions on hot partitions of aiokafka and faust).
truth: 40 `publish` wait up to 1.5 s for an answer of `worker` 0, 0.04 s each, in turn; workers 1 to 3 wait for messages.
wanted: calls of `publish` wait for the one task `worker` that answers them in turn (line 16, asleep in `index`); the others are idle."""

import asyncio


async def index(document):
    await asyncio.sleep(0.04)


async def worker(inbox):
    while True:
        document, answer = await inbox.get()
        await index(document)
        answer.set_result(True)


async def publish(inboxes, tenant, n):
    answer = asyncio.get_running_loop().create_future()
    inboxes[tenant % len(inboxes)].put_nowait((n, answer))
    await answer


async def main():
    inboxes = [asyncio.Queue() for _ in range(4)]
    workers = [asyncio.create_task(worker(inbox)) for inbox in inboxes]
    await asyncio.gather(*(publish(inboxes, 8 if n % 10 else n, n) for n in range(44)))
    for task in workers:
        task.cancel()


asyncio.run(main())
