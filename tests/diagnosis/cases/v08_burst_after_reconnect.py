"""After a broker's pause 2,500 messages arrive at once, and each makes a task.
truth: work for more than a second is ready at once: `parse` in `on_message`; `heartbeat` is late."""
import asyncio
import json

SEEN = []
BODY = json.dumps({"rows": [{"id": n, "name": f"row {n}", "tags": ["a", "b"]} for n in range(55)]})


def parse(body):
    rows = json.loads(body)["rows"]
    return {row["id"]: (row["name"].title(), sorted(row["tags"])) for row in rows}


async def on_message(queue_of_acks, body):
    table = parse(body)
    await asyncio.sleep(0)
    table |= parse(body)
    SEEN.append(len(table))
    await queue_of_acks.put(len(table))


async def acker(acks):
    while True:
        await acks.get()


async def heartbeat(late):
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.05
        await asyncio.sleep(0.05)
        late.append(loop.time() - due)


async def broker(acks, tasks):
    for _ in range(20):
        tasks.append(asyncio.create_task(on_message(acks, BODY)))
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)
    for _ in range(2500):
        tasks.append(asyncio.create_task(on_message(acks, BODY)))
    await asyncio.sleep(0.1)


async def main():
    acks, tasks, late = asyncio.Queue(), [], []
    others = [asyncio.create_task(acker(acks)), *(asyncio.create_task(heartbeat(late)) for _ in range(4))]
    await broker(acks, tasks)
    await asyncio.gather(*tasks)
    for one in others:
        one.cancel()
    print(max(late))


asyncio.run(main())
