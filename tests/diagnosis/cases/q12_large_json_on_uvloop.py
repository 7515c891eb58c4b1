"""An export is serialised in one piece on uvloop, beside quick requests
(https://github.com/python-websockets/websockets/issues/1234 is a loop that such messages block).
truth: `export` blocks the loop over 100 ms in json.dumps, 5 times; `quick` waits behind it."""
import asyncio
import json

import uvloop

ROWS = [{"id": n, "name": f"row {n}", "tags": ["a", "b", str(n)]} for n in range(60_000)]


async def export(reader, writer):
    await reader.readline()
    body = json.dumps({"rows": ROWS}, indent=1).encode()
    writer.write(b"%d\n" % len(body))
    await writer.drain()
    writer.close()


async def ask(address):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"export\n")
    await reader.readline()
    writer.close()


async def quick():
    while True:
        await asyncio.sleep(0.01)


async def main():
    server = await asyncio.start_server(export, "127.0.0.1", 0)
    ticks = [asyncio.create_task(quick()) for _ in range(6)]
    for _ in range(5):
        await ask(server.sockets[0].getsockname())
        await asyncio.sleep(0.03)
    for tick in ticks:
        tick.cancel()
    server.close()


uvloop.run(main())
