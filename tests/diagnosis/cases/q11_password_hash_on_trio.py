"""Each login computes the hash of a password on the loop of trio
(after reports of `bcrypt` in async handlers).
truth: `login` blocks the loop about 60 ms per login in pbkdf2_hmac; `ticker` is late."""
import hashlib

import trio


def verify(password, salt):
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 120_000)


async def login(user, done):
    await trio.sleep(0.01 * user)
    verify(f"secret-{user}", b"salt")
    await trio.sleep(0.005)
    done.append(user)


async def ticker(late):
    while True:
        due = trio.current_time() + 0.02
        await trio.sleep_until(due)
        late.append(trio.current_time() - due)


async def main():
    late, done = [], []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ticker, late)
        async with trio.open_nursery() as logins:
            for user in range(14):
                logins.start_soon(login, user, done)
        nursery.cancel_scope.cancel()
    print(f"truth ticker was late by up to {max(late):.2f} s")


trio.run(main)
