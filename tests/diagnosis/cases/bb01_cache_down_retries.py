"""Redis is down, and its client tries again with pauses inside each command: every request is
slow, though the cache is optional (https://github.com/redis/redis-py/issues/2695 is of the defaults
of such retries).
truth: 6 `page` spend 0.7 s each in the pauses of redis's Retry, below `cached`; all commands fail."""
import asyncio
import socket

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as Down

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
retry = Retry(ExponentialBackoff(cap=0.4, base=0.05), 3)
client = Redis(host="127.0.0.1", port=port, retry=retry, retry_on_error=[Down])


async def cached(key):
    try:
        return await client.get(key)
    except Down:
        return None


async def page(n):
    if await cached(f"page:{n}") is None:
        await asyncio.sleep(0.02)


async def main():
    await asyncio.gather(*(page(n) for n in range(6)))
    await client.aclose()


asyncio.run(main())
