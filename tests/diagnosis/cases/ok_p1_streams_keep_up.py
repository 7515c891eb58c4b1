"""healthy: lines through a unix socket in the process, the handler is as fast as the writer"""
import asyncio, os, tempfile
path = tempfile.mktemp(suffix=".sock")

async def handle(reader, writer):
    while line := await reader.readline():
        writer.write(line); await writer.drain()
    writer.close()

async def client(n):
    r, w = await asyncio.open_unix_connection(path)
    for i in range(60):
        w.write(b"%d\n" % i); await w.drain(); await r.readline()
        await asyncio.sleep(0.02)
    w.close()

async def main():
    s = await asyncio.start_unix_server(handle, path)
    await asyncio.gather(*(client(n) for n in range(5)))
    s.close()
asyncio.run(main())
