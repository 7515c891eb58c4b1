"""A reader goes on after the end of its stream: readline returns b"" at once, for ever
(https://github.com/Otoru/Genesis/issues/45).
truth: `Session.handler` computes for 1.2 s in readline, which never suspends; `heartbeat` waits."""
import asyncio
import time


class Session:
    def __init__(self, reader):
        self.reader, self.events, self.connected = reader, [], True

    async def handler(self):
        end = time.monotonic() + 1.3
        while self.connected and time.monotonic() < end:
            line = await self.reader.readline()
            if line.strip():
                self.events.append(line)


async def switch(reader, writer):
    for n in range(5):
        writer.write(b"event %d\n" % n)
        await writer.drain()
        await asyncio.sleep(0.02)
    writer.close()


async def heartbeat():
    while True:
        await asyncio.sleep(0.05)


async def main():
    server = await asyncio.start_server(switch, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    beats = [asyncio.create_task(heartbeat()) for _ in range(3)]
    session = Session(reader)
    await session.handler()
    print("truth", len(session.events), "events")
    writer.close()
    for beat in beats:
        beat.cancel()


asyncio.run(main())
