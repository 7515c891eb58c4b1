"""An aiohttp client that reconnects without a pause while its server is down
(https://github.com/home-assistant/core/issues "reconnect loop 100 % CPU", https://github.com/aio-libs/aiohttp).
truth: `watch_events` makes 100s of attempts in 1.2 s, all refused, until the server is there."""
import asyncio
import socket

import aiohttp
from aiohttp import web


async def hello(request):
    return web.Response(text="hello")


async def watch_events(session, url):
    attempts = 0
    while True:
        attempts += 1
        try:
            async with session.get(url) as response:
                return attempts, await response.text()
        except aiohttp.ClientError:
            continue


async def start_later(port):
    await asyncio.sleep(1.2)
    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


async def main():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with aiohttp.ClientSession() as session:
        server = asyncio.create_task(start_later(port))
        print(await watch_events(session, f"http://127.0.0.1:{port}/"))
        await (await server).cleanup()


asyncio.run(main())
