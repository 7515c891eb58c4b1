"""`subprocess.run` inside a coroutine (https://github.com/mcdonc/klangk/issues/1261).
truth: `import_workspace` blocks the loop 3 x 0.2 s for a child; 8 pings are late."""
import asyncio
import subprocess


def extract_metadata():
    return subprocess.run(["sleep", "0.2"], capture_output=True, check=True)


async def import_workspace():
    extract_metadata()


async def ping():
    for _ in range(20):
        await asyncio.sleep(0.02)


async def main():
    await asyncio.gather(*(ping() for _ in range(8)), *(import_workspace() for _ in range(3)))


asyncio.run(main())
