"""A protocol that joins and re-parses its buffer at each chunk ("asyncio large transfer gets slower and slower").

Truth: `data_received` copies all bytes so far and tries to parse them at each chunk;
its calls grow from some us to some ms, together most of the run; `tick` is late.
"""

import asyncio
import json
import time


class Answer(asyncio.Protocol):
    def __init__(self, done):
        self.text = ""
        self.done = done

    def data_received(self, data):
        self.text = self.text + data.decode()
        try:
            document = json.loads(self.text)
        except ValueError:
            return
        self.done.set_result(document)


async def serve(reader, writer):
    document = json.dumps([{"id": n, "name": f"item {n}", "tags": ["a", "b"]} for n in range(14_000)]).encode()
    for at in range(0, len(document), 1400):
        writer.write(document[at : at + 1400])
        await writer.drain()
        await asyncio.sleep(0)
    writer.close()


async def tick(late):
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.005)
        late.append(time.perf_counter() - begun - 0.005)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    loop = asyncio.get_running_loop()
    late = []
    ticker = asyncio.create_task(tick(late))
    begun = time.perf_counter()
    for _ in range(2):
        done = loop.create_future()
        transport, _ = await loop.create_connection(lambda: Answer(done), *server.sockets[0].getsockname())
        document = await done
        transport.close()
    print(f"truth: {len(document)} items in {time.perf_counter() - begun:.2f} s; tick late by up to {max(late) * 1e3:.0f} ms")
    ticker.cancel()
    server.close()


asyncio.run(main())
