"""A task that waits for a `threading.Lock` in a thread is cancelled; its thread gets the lock later
and keeps it for ever (https://github.com/bytedance/deer-flow/pull/4240).
truth: a thread of the default executor has the lock since 0.3 s, acquired for a `tool_call` that was
cancelled; 4 others wait 0.7 s each in `refresh` in vain."""
import asyncio
import threading
import time

lock = threading.Lock()
late = []


async def refresh(seconds):
    since = time.monotonic()
    if not await asyncio.to_thread(lock.acquire, timeout=0.7):
        late.append(time.monotonic() - since)
        return None
    try:
        await asyncio.sleep(seconds)  # asks the server for a token
        return "token"
    finally:
        lock.release()


async def tool_call(n, seconds=0.005):
    token = await refresh(seconds)
    await asyncio.sleep(0.002)
    return n, token


async def health():
    while True:
        await asyncio.sleep(0.02)


async def main():
    beating = asyncio.create_task(health())
    for n in range(10):
        await asyncio.gather(*(tool_call(n) for _ in range(2)))
    slow = asyncio.create_task(tool_call(10, 0.2))
    await asyncio.sleep(0.05)
    hurried = asyncio.create_task(tool_call(11))
    await asyncio.sleep(0.05)
    hurried.cancel()
    await slow
    for n in range(2):
        await asyncio.gather(*(tool_call(n) for _ in range(2)))
    beating.cancel()
    print("truth", f"{len(late)} gave up, the longest after {max(late):.2f} s")


asyncio.run(main())
