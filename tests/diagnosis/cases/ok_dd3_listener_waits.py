"""HEALTHY: a listener of redis.asyncio waits for each message (`timeout=None`), beside some commands."""
import asyncio
import os

import redis.asyncio as redis

asked = found = 0


async def listen(subscription):
    global asked, found
    while True:
        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=None)
        asked += 1
        if message is not None:
            found += 1


async def handle(client, n):
    await client.set(f"page:{n}", n)
    return await client.get(f"page:{n}")


async def main():
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    subscription = client.pubsub()
    await subscription.subscribe("news")
    task = asyncio.create_task(listen(subscription))
    for n in range(50):
        await handle(client, n)
        if n % 10 == 0:
            await client.publish("news", n)
        await asyncio.sleep(0.05)
    print("truth asked", asked, "found", found)
    task.cancel()
    await subscription.aclose()
    await client.aclose()


asyncio.run(main())
