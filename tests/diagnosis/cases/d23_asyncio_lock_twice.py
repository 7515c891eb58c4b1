"""A coroutine acquires the asyncio.Lock that its caller has.
truth: `refresh` waits 1 s for the Lock that it took in `request`, until the time-out."""
import asyncio


async def refresh(lock):
    async with lock:
        return "token"


async def request(lock):
    async with lock:
        try:
            return await asyncio.wait_for(refresh(lock), 1.0)
        except TimeoutError:
            return "gave up"


async def main():
    print("truth", await asyncio.create_task(request(asyncio.Lock()), name="request"))


asyncio.run(main())
