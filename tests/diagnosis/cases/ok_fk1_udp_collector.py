"""Healthy: a UDP collector with little to do for each packet, and an API beside it."""
import asyncio
import random


class Metrics(asyncio.DatagramProtocol):
    def __init__(self):
        self.counts = {}

    def datagram_received(self, data, address):
        self.counts[data] = self.counts.get(data, 0) + 1


async def send(transport, name):
    for _ in range(100):
        transport.sendto(name)
        await asyncio.sleep(random.uniform(0.005, 0.015))


async def main():
    loop = asyncio.get_running_loop()
    server, protocol = await loop.create_datagram_endpoint(Metrics, ("127.0.0.1", 0))
    client, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=server.get_extra_info("sockname"))
    await asyncio.gather(*(send(client, b"metric%d" % n) for n in range(8)))
    client.close()
    server.close()
    print(sum(protocol.counts.values()))


asyncio.run(main())
