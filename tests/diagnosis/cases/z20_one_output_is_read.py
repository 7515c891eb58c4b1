"""asyncio: stdout is read to its end while the child has filled the pipe of stderr
(https://docs.python.org/3/library/asyncio-subprocess.html, the warning about `wait` and pipes).
truth: `convert` reads the child's stdout to its end, while the child stands in write to stderr, whose pipe
nobody reads; ends by the time-out of 2 s."""
import asyncio
import sys

CHILD = """
import sys
for n in range(4000):
    sys.stderr.write("warning: frame %d has no timestamp, guessing from the previous one\\n" % n)
print("done")
"""


async def convert(name):
    proc = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out = await asyncio.wait_for(proc.stdout.read(), 2)
        await proc.wait()
        return out
    except TimeoutError:
        proc.kill()
        print("gave up on", name)


async def progress(stop):
    while not stop.is_set():
        await asyncio.sleep(0.1)
        sum(range(1000))


async def main():
    stop = asyncio.Event()
    bar = asyncio.create_task(progress(stop))
    await asyncio.gather(convert("a.mov"), convert("b.mov"))
    stop.set()
    await bar


asyncio.run(main())
