"""Healthy look-alike of y21 to y24: a listener with little left, an exit handler with little to send, `read` of a server that closes."""
import asyncio, atexit, logging, logging.handlers, queue, time

atexit.register(time.sleep, 0.05)

records = queue.SimpleQueue()
log = logging.getLogger("app")
log.propagate = False
log.addHandler(logging.handlers.QueueHandler(records))
listener = logging.handlers.QueueListener(records, logging.NullHandler())
listener.start()
for n in range(300):
    log.warning("request %d", n)
    time.sleep(0.001)
listener.stop()


async def handle(reader, writer):
    writer.write((await reader.readline()).upper())
    writer.close()


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    for _ in range(5):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        await reader.read()
        writer.close()
    server.close()


asyncio.run(main())
