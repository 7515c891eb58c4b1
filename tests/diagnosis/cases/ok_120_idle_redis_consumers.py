"""Consumers of redis with nothing to do: two wait in BLPOP, one for messages of a channel, until they are
stopped (the usual worker of a queue). Nobody waits for them."""
import asyncio
import os
import threading

import redis
import redis.asyncio

URL = os.environ["REDIS_URL"]


async def consume(client, queue):
    while True:
        print("job", await client.blpop(queue, timeout=0))


async def subscribe(client):
    async with client.pubsub() as channel:
        await channel.subscribe("news")
        async for message in channel.listen():
            print("message", message["type"])


def work():
    while (job := redis.from_url(URL).blpop("threads", timeout=5)[1]) != b"stop":
        print("job", job)


async def main():
    worker = threading.Thread(target=work, name="worker")
    worker.start()
    async with redis.asyncio.from_url(URL) as client:
        tasks = [asyncio.create_task(consume(client, queue)) for queue in ("mails", "images")]
        tasks.append(asyncio.create_task(subscribe(client)))
        await client.rpush("mails", "hello")
        await asyncio.sleep(1.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.rpush("threads", "stop")
    worker.join()


asyncio.run(main())
