"""A websocket's writer task waits for messages; when the client goes, nobody cancels it
(https://github.com/aio-libs/aiohttp/issues/1768).
truth: 150 tasks of `writer`, started in `handle`, wait in Queue.get for clients that have gone."""
import asyncio

from aiohttp import ClientSession, web

rooms = []


async def writer(socket, outbox):
    while True:
        message = await outbox.get()
        await socket.send_str(message)


async def handle(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    outbox = asyncio.Queue()
    rooms.append((outbox, asyncio.create_task(writer(socket, outbox))))
    await outbox.put("welcome")
    async for message in socket:
        await outbox.put(message.data)
    return socket


async def main():
    app = web.Application()
    app.add_routes([web.get("/", handle)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with ClientSession() as session:
        for _ in range(150):
            async with session.ws_connect(url) as socket:
                await socket.receive_str()
            await asyncio.sleep(0.008)
    print("truth", sum(not task.done() for _, task in rooms), "writers wait")
    await runner.cleanup()


asyncio.run(main())
