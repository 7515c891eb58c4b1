"""trio: a task runs a tool with subprocess.run (https://github.com/python-trio/trio/issues/4 "subprocess").
truth: `convert` blocks trio's thread 120 ms in subprocess.run, 5 times; 12 `tick` tasks are late."""
import subprocess

import trio


def run_tool(n):
    return subprocess.run(["sleep", "0.12"], check=True).returncode


async def convert():
    for n in range(5):
        run_tool(n)
        await trio.sleep(0.05)


async def tick():
    while True:
        await trio.sleep(0.01)


async def main():
    async with trio.open_nursery() as nursery:
        for _ in range(12):
            nursery.start_soon(tick)
        await convert()
        nursery.cancel_scope.cancel()


trio.run(main)
