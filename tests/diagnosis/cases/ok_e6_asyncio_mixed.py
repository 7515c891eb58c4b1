"""HEALTHY: an asyncio service with short to_thread calls, a child process that is read, and waits with time-outs."""
import asyncio
import hashlib
import sys


def digest(data):
    return hashlib.sha256(data).hexdigest()


async def handle(reader, writer):
    while line := await reader.readline():
        if line.startswith(b"hash"):
            answer = await asyncio.to_thread(digest, line * 2000)
        else:
            answer = "ok"
        writer.write(f"{answer}\n".encode())
    writer.close()


async def client(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for k in range(25):
        writer.write(b"hash %d\n" % k if k % 5 == 0 else b"get\n")
        await reader.readline()
        await asyncio.sleep(0.05 + n * 0.002)
    writer.close()


async def tail(lines):
    proc = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-c", "import time\nfor n in range(8):\n    print(n, flush=True)\n    time.sleep(0.2)",
        stdout=asyncio.subprocess.PIPE,
    )
    async for line in proc.stdout:
        lines.append(line)
    await proc.wait()


async def reload_watch(event):
    for _ in range(3):
        try:
            await asyncio.wait_for(event.wait(), 0.4)
        except TimeoutError:
            pass


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port, lines = server.sockets[0].getsockname()[1], []
    await asyncio.gather(tail(lines), reload_watch(asyncio.Event()), *(client(port, n) for n in range(8)))
    server.close()
    print(len(lines))


asyncio.run(main())
