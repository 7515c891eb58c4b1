"""A coroutine reads a child's output with the blocking readline() of Popen (Stack Overflow "asyncio readline Popen").
truth: `follow` blocks the loop about 150 ms for each of 8 lines; 10 `tick` tasks are late."""
import asyncio
import subprocess


async def follow():
    child = subprocess.Popen(
        ["sh", "-c", "for n in 1 2 3 4 5 6 7 8; do sleep 0.15; echo line $n; done"],
        stdout=subprocess.PIPE,
    )
    while line := child.stdout.readline():
        print(line)
        await asyncio.sleep(0.01)
    child.wait()


async def tick():
    while True:
        await asyncio.sleep(0.01)


async def main():
    ticks = [asyncio.create_task(tick()) for _ in range(10)]
    await follow()
    for one in ticks:
        one.cancel()


asyncio.run(main())
