"""The server closes a subscription; the task that reads replies ends, and who waits for messages is not told
(https://github.com/aio-libs-abandoned/aioredis-py/issues/354).
truth: `consume` waits 2 s in Queue.get though `read_replies`, who alone puts, ended at 0.3 s."""
import asyncio


class Subscription:
    def __init__(self):
        self.messages = asyncio.Queue()

    async def open(self, port):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.writer.write(b"SUBSCRIBE orders\n")
        self.task = asyncio.create_task(self.read_replies())

    async def read_replies(self):
        while line := await self.reader.readline():
            self.messages.put_nowait(line)

    async def get(self):
        return await self.messages.get()


async def serve(reader, writer):
    await reader.readline()
    for number in range(10):
        writer.write(b"order %d\n" % number)
        await asyncio.sleep(0.03)
    writer.close()  # CLIENT KILL


async def consume(subscription, seen):
    while True:
        seen.append(await subscription.get())


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    subscription = Subscription()
    await subscription.open(server.sockets[0].getsockname()[1])
    seen = []
    try:
        await asyncio.wait_for(consume(subscription, seen), 2.3)
    except TimeoutError:
        print("truth", len(seen), "messages, then none")
    server.close()


asyncio.run(main())
