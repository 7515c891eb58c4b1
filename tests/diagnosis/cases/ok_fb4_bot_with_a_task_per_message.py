"""CLEAN: a bot handles each message in a task of its own, and its heartbeat comes in time."""
import asyncio


async def infer(prompt):
    await asyncio.sleep(0.25)
    return prompt.upper()


async def on_message(content):
    await infer(content)


async def heartbeat(writer):
    while True:
        await asyncio.sleep(0.1)
        writer.write(b"ping\n")
        await writer.drain()


async def gateway(reader):
    async with asyncio.TaskGroup() as group:
        while line := await reader.readline():
            group.create_task(on_message(line.decode()))


async def discord(reader, writer):
    for number in range(20):
        writer.write(b"message hello %d\n" % number)
        await asyncio.sleep(0.05)
    writer.close()


async def main():
    server = await asyncio.start_server(discord, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    beats = asyncio.create_task(heartbeat(writer))
    await gateway(reader)
    beats.cancel()
    writer.close()
    server.close()


asyncio.run(main())
