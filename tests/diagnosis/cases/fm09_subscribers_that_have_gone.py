"""Subscribers of a hub that have gone are never taken out of its list.

`publisher` puts each event into the queues of 20 subscribers; 18 of these ended in `subscribe`
after 0.2 s, and 90 items are in each of their queues in the end.
"""

import asyncio
subscribers = []

async def subscribe(stays):
    q = asyncio.Queue(); subscribers.append(q)
    try:
        async with asyncio.timeout(2.0 if stays else 0.2):
            while True: await q.get()
    except TimeoutError: pass

async def publish():
    for i in range(100):
        for q in subscribers: q.put_nowait({"event": i})
        await asyncio.sleep(0.02)

async def main():
    ts = [asyncio.create_task(subscribe(i < 2), name=f"viewer-{i}") for i in range(20)]
    await asyncio.create_task(publish(), name="publisher")
    print("truth sizes", [q.qsize() for q in subscribers])
    await asyncio.gather(*ts)
asyncio.run(main())
