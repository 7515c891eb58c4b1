"""Healthy: hashes are computed in a few threads of trio, one login now and then."""
import hashlib

import trio


async def login(user):
    await trio.to_thread.run_sync(hashlib.pbkdf2_hmac, "sha256", b"secret", b"salt", 20_000)


async def ticker():
    while True:
        await trio.sleep(0.02)


async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ticker)
        for user in range(12):
            await login(user)
            await trio.sleep(0.06)
        nursery.cancel_scope.cancel()


trio.run(main)
