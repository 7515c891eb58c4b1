"""`wait_for(to_thread(…))` gives up, and `asyncio.run` waits for the thread at its end
(https://github.com/python/cpython/issues/72165 and others).
truth: asyncio.run at its end waits in shutdown_default_executor for `poll_device`, which sleeps on (2.5 s)
after its task was cancelled/timed out."""
import asyncio
import time


def poll_device(name):
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        time.sleep(1)
    return name


async def status(name):
    try:
        return await asyncio.wait_for(asyncio.to_thread(poll_device, name), 0.4)
    except TimeoutError:
        return None


async def page(n):
    await asyncio.sleep(0.01)
    return sum(range(n * 100))


async def main():
    states = await asyncio.gather(*(status(f"dev{n}") for n in range(3)), *(page(n) for n in range(30)))
    print(states.count(None), "devices silent")


t = time.monotonic()
asyncio.run(main())
print("took", round(time.monotonic() - t, 1))
