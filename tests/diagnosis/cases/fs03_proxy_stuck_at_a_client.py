"""After github.com/aio-libs/aiohttp/issues/5693: a streaming proxy is stuck after a client.

Truth: two clients stop reading without closing; `proxy` stands in `response.write` for them
and keeps its connections to the upstream, of which there are only two: the others wait.
"""

import asyncio

import aiohttp
from aiohttp import web


async def file(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(120):
        await response.write(b"x" * 65536)
    return response


async def proxy(request):
    response = web.StreamResponse()
    await response.prepare(request)
    async with request.app["session"].get(request.app["upstream"]) as upstream:
        while chunk := await upstream.content.read(65536):
            await response.write(chunk)
    return response


async def start(path, handler):
    app = web.Application()
    app.router.add_get(path, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    return app, runner, f"http://127.0.0.1:{port}{path}", port


async def stuck_client(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    writer.write(b"GET /proxy HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readline()
    await asyncio.sleep(1.8)
    writer.transport.abort()


async def client(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return len(await response.read())


async def main():
    _, upstream, upstream_url, _ = await start("/file", file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2)) as session:
        app = web.Application()
        app["session"], app["upstream"] = session, upstream_url
        app.router.add_get("/proxy", proxy)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        stuck = [asyncio.create_task(stuck_client(port)) for _ in range(2)]
        await asyncio.sleep(0.2)
        url = f"http://127.0.0.1:{port}/proxy"
        print(await asyncio.gather(*(client(url) for _ in range(3))))
        await asyncio.gather(*stuck)
        await runner.cleanup()
    await upstream.cleanup()


asyncio.run(main())
