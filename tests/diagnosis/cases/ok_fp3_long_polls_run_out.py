"""HEALTHY: clients ask for news by long polls: most get some at once, and at the end nothing is new for a second."""
import asyncio


async def poll(waiting):
    news = asyncio.Event()
    waiting.append(news)
    try:
        async with asyncio.timeout(1):
            await news.wait()
    except TimeoutError:
        return "nothing new"
    return "news"


async def answer(reader, writer, waiting):
    await reader.readline()
    writer.write((await asyncio.create_task(poll(waiting)) + "\n").encode())
    await writer.drain()
    writer.close()


async def ask(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"anything new?\n")
    said = await reader.readline()
    writer.close()
    return said.decode().strip()


async def main():
    waiting = []
    server = await asyncio.start_server(
        lambda reader, writer: answer(reader, writer, waiting), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    for _ in range(6):
        asked = asyncio.create_task(ask(port))
        await asyncio.sleep(0.03)
        waiting.pop().set()
        print(await asked)
    print(await asyncio.gather(*(ask(port) for _ in range(3))))
    server.close()


asyncio.run(main())
