"""Tasks, then threads, share a pool of one connection to redis."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import redis
import redis.asyncio

URL = sys.argv[1]


async def work(client: redis.asyncio.Redis) -> None:
    await client.incr("n")  #: await connection pool (redis) slots=1


async def main() -> None:
    pool = redis.asyncio.BlockingConnectionPool.from_url(URL, max_connections=1)
    client = redis.asyncio.Redis.from_pool(pool)
    await client.ping()  #: await connect (redis)
    await client.incr("n")  #: await command (redis)
    await asyncio.gather(work(client), work(client))
    async with client.pipeline() as pipeline:
        pipeline.get("n")
        await pipeline.execute()  #: await command (redis)
    await client.aclose()
    client = redis.asyncio.Redis.from_url(URL)
    async with client.pubsub() as events:
        await events.subscribe("news")
        await events.get_message(timeout=1)
        asyncio.get_running_loop().call_later(0.01, told.put_nowait, None)
        teller = asyncio.create_task(tell(client))
        await events.get_message(timeout=1)  #: await message (redis)
        await teller
    lock, other = (client.lock("lock", sleep=0.01) for _ in range(2))
    await lock.acquire()
    giver = asyncio.create_task(give(lock))
    await other.acquire()  #: await lock (redis)
    await giver
    await other.release()
    await client.aclose()


told: "asyncio.Queue[None]" = asyncio.Queue()


async def tell(client: redis.asyncio.Redis) -> None:
    await told.get()
    await client.publish("news", "hello")


async def give(lock: "redis.asyncio.lock.Lock") -> None:
    await asyncio.sleep(0.02)
    await lock.release()


def job(client: redis.Redis) -> None:
    client.blpop(["none"], timeout=0.02)  #: lock wait: connection pool (redis) slots=1


asyncio.run(main())
pool = redis.BlockingConnectionPool.from_url(URL, max_connections=1)
with redis.Redis.from_pool(pool) as client, ThreadPoolExecutor(2) as threads:
    list(threads.map(job, [client, client]))
