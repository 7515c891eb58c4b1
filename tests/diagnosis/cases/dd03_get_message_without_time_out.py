"""A listener of redis.asyncio asks for messages without a time-out, in a loop: get_message returns None at once
(after https://github.com/redis/redis-py/issues on get_message and CPU at 100 %).
truth: `listen` calls `get_message` thousands of times a second and finds 5 messages; the loop never sleeps."""
import asyncio
import os

import redis.asyncio as redis

asked = found = 0


async def listen(subscription):
    global asked, found
    while True:
        message = await subscription.get_message(ignore_subscribe_messages=True)
        asked += 1
        if message is not None:
            found += 1
        await asyncio.sleep(0)


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
