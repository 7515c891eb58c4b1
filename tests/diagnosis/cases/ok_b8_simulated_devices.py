"""HEALTHY: 60 simulated devices, each sends a reading every 20-60 ms over one socket to a collector, which batches; two dashboards."""
import asyncio
import json
import random


async def device(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for k in range(40):
        writer.write(json.dumps({"device": n, "k": k, "value": random.random()}).encode() + b"\n")
        await writer.drain()
        await asyncio.sleep(random.uniform(0.02, 0.06))
    writer.close()


async def collect(reader, writer, readings):
    while line := await reader.readline():
        await readings.put(json.loads(line))
    writer.close()


async def batcher(readings, table):
    while True:
        batch = [await readings.get()]
        while not readings.empty() and len(batch) < 50:
            batch.append(readings.get_nowait())
        for one in batch:
            table.setdefault(one["device"], []).append(one["value"])
        await asyncio.sleep(0.005)


async def dashboard(table):
    while True:
        await asyncio.sleep(0.25)
        {n: sum(values) / len(values) for n, values in table.items()}


async def main():
    readings, table = asyncio.Queue(500), {}
    server = await asyncio.start_server(lambda r, w: collect(r, w, readings), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    others = [asyncio.create_task(batcher(readings, table)), *(asyncio.create_task(dashboard(table)) for _ in range(2))]
    await asyncio.gather(*(device(port, n) for n in range(60)))
    for one in others:
        one.cancel()
    server.close()


asyncio.run(main())
