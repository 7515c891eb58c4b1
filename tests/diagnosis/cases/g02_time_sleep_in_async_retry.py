"""A retry decorator for coroutines sleeps with `time.sleep`
(https://github.com/langroid/langroid/pull/1112).
truth: the loop is blocked 3 x 150 ms in `wrapper`; 10 heartbeats and other calls are late."""
import asyncio
import functools
import time


def retry(function):
    @functools.wraps(function)
    async def wrapper(*args):
        delay = 0.15
        while True:
            try:
                return await function(*args)
            except TimeoutError:
                time.sleep(delay)

    return wrapper


answers = iter([False, False, False, True])


@retry
async def chat(prompt):
    await asyncio.sleep(0.01)
    if not next(answers):
        raise TimeoutError("429")
    return prompt


async def heartbeat():
    for _ in range(40):
        await asyncio.sleep(0.01)


async def main():
    await asyncio.gather(chat("hello"), *(heartbeat() for _ in range(10)))


asyncio.run(main())
