"""HEALTHY: clients share four permits for an API; each keeps its permit for the request only, and pauses without."""
import asyncio


class Api:
    def __init__(self, port):
        self.port, self.permits = port, asyncio.Semaphore(4)

    async def call(self, n):
        async with self.permits:
            answer = await self.fetch(n)
        await asyncio.sleep(0.1)
        return answer

    async def fetch(self, n):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"%d\n" % n)
        answer = await reader.readline()
        writer.close()
        return answer


async def serve(reader, writer):
    line = await reader.readline()
    await asyncio.sleep(0.01)
    writer.write(line)
    await writer.drain()
    writer.close()


async def client(api, n):
    for k in range(4):
        await api.call(n * 10 + k)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    api = Api(server.sockets[0].getsockname()[1])
    await asyncio.gather(*(client(api, n) for n in range(12)))
    server.close()


asyncio.run(main())
