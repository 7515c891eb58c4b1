"""A flag file is waited for without any pause in a coroutine (https://github.com/HS-Tools/Wall_Lii/issues/89 and its like).
truth: `wait_for_flag` looks for a file with os.path.exists without any pause, 1.2 s long; loop is blocked, 8 `tick`
tasks are late."""
import asyncio
import os
import tempfile
import threading

FLAG = os.path.join(tempfile.mkdtemp(), "ready")


def wait_for_flag():
    while not os.path.exists(FLAG):
        pass


async def start():
    wait_for_flag()


async def tick():
    while True:
        await asyncio.sleep(0.01)


async def main():
    ticks = [asyncio.create_task(tick()) for _ in range(8)]
    threading.Timer(1.3, lambda: open(FLAG, "w").close()).start()
    await asyncio.sleep(0.1)
    await start()
    for one in ticks:
        one.cancel()


asyncio.run(main())
