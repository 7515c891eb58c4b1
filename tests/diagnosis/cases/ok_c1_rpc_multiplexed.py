"""HEALTHY: many coroutines share one connection; answers come out of order within some ms, requests
that take too long are cancelled now and then and give their place back."""
import asyncio
import itertools
import random

dice = random.Random(2)


class Client:
    def __init__(self, reader, writer):
        self.reader, self.writer, self.pending = reader, writer, {}
        self.numbers, self.gate = itertools.count(), asyncio.Semaphore(20)

    async def receive(self):
        while line := await self.reader.readline():
            if future := self.pending.pop(int(line), None):
                future.set_result(True)

    async def call(self):
        number, future = next(self.numbers), asyncio.get_running_loop().create_future()
        async with self.gate:
            self.pending[number] = future
            self.writer.write(b"%d\n" % number)
            try:
                async with asyncio.timeout(0.06):
                    return await future
            finally:
                self.pending.pop(number, None)


async def answer(writer, line):
    await asyncio.sleep(0.2 if dice.random() < 0.02 else 0.002 + dice.random() / 100)
    writer.write(line)


async def serve(reader, writer):
    tasks = set()
    while line := await reader.readline():
        task = asyncio.create_task(answer(writer, line))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    writer.close()


async def user(client, failed):
    for _ in range(30):
        try:
            await client.call()
        except TimeoutError:
            failed.append(1)
        await asyncio.sleep(dice.random() / 50)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    client, failed = Client(reader, writer), []
    receiving = asyncio.create_task(client.receive())
    await asyncio.gather(*(user(client, failed) for _ in range(10)))
    writer.close()
    receiving.cancel()
    server.close()
    print(len(failed))


asyncio.run(main())
