"""Handlers keep a permit while a thread renders, and there are two permits for all
(after reports of a service that renders documents and answers slowly).
truth: 2 permits of the Semaphore are with `render_pdf`, 100 ms each in `draw`; handlers wait up to 0.6 s."""
import asyncio
import time

permits = asyncio.Semaphore(2)


def draw(document):
    time.sleep(0.1)
    return b"%PDF" + document


async def render_pdf(document):
    async with permits:
        return await asyncio.to_thread(draw, document)


async def serve(reader, writer):
    document = await reader.readline()
    writer.write(await render_pdf(document))
    await writer.drain()
    writer.close()


async def browser(address, number):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"document %d\n" % number)
    await reader.read()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    await asyncio.gather(*(browser(address, number) for number in range(14)))
    server.close()


asyncio.run(main())
