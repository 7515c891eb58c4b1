"""`communicate()` has no time-out: one tool that hangs keeps the whole batch
(https://runebook.dev/en/docs/python/library/asyncio-subprocess/asyncio.subprocess.Process.communicate).
truth: `check` of one of 4 files waits 2.5 s in communicate for its child, which does nothing; the others end by 0.3 s."""
import asyncio
import sys
import time

TOOL = "import sys, time; time.sleep(float(sys.argv[1])); print('ok')"
took = []


async def check(name, seconds):
    began = time.monotonic()
    tool = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-c", TOOL, seconds, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, _ = await tool.communicate()
    took.append(time.monotonic() - began)
    return name, out


async def main():
    files = [("a.txt", "0.05"), ("b.txt", "2.5"), ("c.txt", "0.05"), ("d.txt", "0.05")]
    await asyncio.gather(*(check(name, seconds) for name, seconds in files))
    print("truth", [round(one, 2) for one in sorted(took)])


asyncio.run(main())
