"""Tasks, then a thread, share a pool of one connection to redis."""

import asyncio
import contextlib
import sys

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
        await events.get_message(timeout=60)
        asyncio.get_running_loop().call_later(0.01, told.put_nowait, None)
        teller = asyncio.create_task(tell(client))
        await events.get_message(timeout=60)  #: await message (redis)
        await teller
    lock = client.lock("lock")
    other = client.lock("lock", sleep=0.01, lock_class=Watched)
    await lock.acquire()
    giver = asyncio.create_task(give(lock))
    await other.acquire()  #: await lock (redis)
    await giver
    await other.release()
    await client.aclose()


told: "asyncio.Queue[None]" = asyncio.Queue()
tried = asyncio.Event()


class Watched(redis.asyncio.lock.Lock):
    """Says that it has tried."""

    async def do_acquire(self, token: bytes | str) -> bool:
        is_acquired = await super().do_acquire(token)
        tried.set()
        return is_acquired


async def tell(client: redis.asyncio.Redis) -> None:
    await told.get()
    await client.publish("news", "hello")


async def give(lock: "redis.asyncio.lock.Lock") -> None:
    await tried.wait()
    await lock.release()


def job(pool: redis.BlockingConnectionPool) -> None:
    kept = pool.get_connection()
    with (
        redis.Redis(connection_pool=pool) as client,
        contextlib.suppress(redis.ConnectionError),
    ):
        client.ping()  #: lock wait: connection pool (redis) slots=1
    pool.release(kept)


asyncio.run(main())
job(redis.BlockingConnectionPool.from_url(URL, max_connections=1, timeout=0.01))
