"""CLEAN: tools are run three at once, their output is read, and each is quick."""
import asyncio
import sys

TOOL = "import sys; print(sum(range(int(sys.argv[1]))))"


async def check(number):
    tool = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-c", TOOL, str(number), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(tool.communicate(), 10)
    return int(out)


async def main():
    for group in range(4):
        await asyncio.gather(*(check(group * 1000 + n) for n in range(3)))


asyncio.run(main())
