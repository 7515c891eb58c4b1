"""The server closes; the task that reads replies ends, and calls wait for theirs for ever
(https://git.akarpov.ru/LonamiWebs/Telethon/commits/commit/01cf4967a558658a830bafb9bf6faf5a215b193a/telethon/network/mtprotosender.py).
truth: 4 `call` wait 1.5 s for futures that only `recv_loop` resolves, which ended at 0.3 s."""
import asyncio
import itertools


class Sender:
    def __init__(self):
        self.pending = {}
        self.numbers = itertools.count()

    async def connect(self, port):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.task = asyncio.create_task(self.recv_loop())

    async def recv_loop(self):
        while line := await self.reader.readline():
            self.pending.pop(int(line)).set_result(line)

    async def call(self):
        number = next(self.numbers)
        self.pending[number] = asyncio.get_running_loop().create_future()
        self.writer.write(b"%d\n" % number)
        return await self.pending[number]


async def serve(reader, writer):
    for _ in range(12):
        line = await reader.readline()
        await asyncio.sleep(0.02)
        writer.write(line)
    writer.close()


async def client(sender):
    for _ in range(6):
        await sender.call()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sender = Sender()
    await sender.connect(server.sockets[0].getsockname()[1])
    try:
        async with asyncio.timeout(1.8):
            await asyncio.gather(*(client(sender) for _ in range(4)))
    except TimeoutError:
        print("truth", len(sender.pending), "never answered")
    server.close()


asyncio.run(main())
