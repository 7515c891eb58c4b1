"""Uploads are hashed on the loop; the hash releases the GIL, which does not help the loop.
truth: `store` blocks the loop some 100 ms per upload in sha512, 5 times; `ping` is late."""
import asyncio
import hashlib

body = bytes(60_000_000)


async def store():
    return hashlib.sha512(body).hexdigest()


async def ping():
    for _ in range(20):
        await asyncio.sleep(0.01)


async def main():
    await asyncio.gather(*(ping() for _ in range(6)), *(store() for _ in range(5)))


asyncio.run(main())
