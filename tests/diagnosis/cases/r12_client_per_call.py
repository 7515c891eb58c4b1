"""Each call makes a client and never closes it; its connection stays open
(https://github.com/encode/httpx/issues and others of clients that are not closed).
truth: `price` leaves a socket open for each of its 160 calls, at both ends."""
import asyncio

KEPT = []


class PriceClient:
    async def get(self, address, name):
        self.reader, self.writer = await asyncio.open_connection(*address)
        self.writer.write(name.encode() + b"\n")
        return await self.reader.readline()


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(b"5 " + line)
        await writer.drain()


async def price(address, name):
    client = PriceClient()
    KEPT.append(client)
    return await client.get(address, name)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    for n in range(160):
        await price(address, f"article {n}")
        await asyncio.sleep(0.02)
    print("truth", len(KEPT), "connections are open")


asyncio.run(main())
