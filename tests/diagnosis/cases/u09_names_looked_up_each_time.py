"""A session for each call looks names up in the few threads of the default executor
(https://github.com/open-webui/open-webui/pull/27440, https://github.com/python/asyncio/issues/161).
truth: the name server needs 60 ms; each of 40 `fetch` makes an aiohttp session, so nothing is cached; the
default executor has cpu_count + 4 threads, all in getaddrinfo; the last fetch waits about 0.4 s for a thread."""
import asyncio
import socket
import time

import aiohttp
from aiohttp import web

real = socket.getaddrinfo


def slow_name_server(host, *args, **kwargs):
    if host and str(host).endswith(".example"):
        time.sleep(0.06)
        host = "127.0.0.1"
    return real(host, *args, **kwargs)


socket.getaddrinfo = slow_name_server


async def hello(request):
    return web.Response(text="hello")


async def fetch(port, n):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://host{n}.example:{port}/") as response:
            return await response.text()


async def main():
    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    for _ in range(3):
        await asyncio.gather(*(fetch(port, n) for n in range(40)))
    await runner.cleanup()


asyncio.run(main())
