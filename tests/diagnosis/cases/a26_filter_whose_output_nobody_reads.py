"""stdin of `cat` is drained while nobody reads its stdout (https://github.com/python/asyncio/issues/381).
wanted: `convert` waited 1.2 s in drain of the child's stdin: the child stands in write to stdout, which nobody reads -> communicate()"""
import asyncio


async def convert(data):
    proc = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1024)
    proc.stdin.write(data)
    try:
        await asyncio.wait_for(proc.stdin.drain(), 1.2)
    except TimeoutError:
        print("truth drain timed out")
    proc.kill()
    await proc.communicate()


asyncio.run(convert(b"line\n" * 600_000))
