"""HEALTHY: an aiohttp gateway asks two back ends for each request, with a time-out that is far off,
a connector that fits, and a cache behind a short lock."""
import asyncio
import time

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web


async def backend(request):
    await asyncio.sleep(0.008)
    return web.json_response({"at": time.time()})


async def gateway(request):
    app = request.app
    async with app["lock"]:
        app["seen"] += 1
    async def ask(path):
        async with app["client"].get(app["url"] + path) as response:
            return await response.json()
    one, two = await asyncio.gather(ask("/one"), ask("/two"))
    return web.json_response({"one": one, "two": two})


async def start(app):
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"


async def client(http, url, n):
    for _ in range(15):
        async with http.get(url + "/") as response:
            assert response.status == 200
            await response.read()
        await asyncio.sleep(0.01 + n / 1000)


async def main():
    inner, outer = web.Application(), web.Application()
    inner.router.add_get("/{name}", backend)
    outer.router.add_get("/", gateway)
    back, url = await start(inner)
    outer["url"], outer["lock"], outer["seen"] = url, asyncio.Lock(), 0
    outer["client"] = ClientSession(connector=TCPConnector(limit=40), timeout=ClientTimeout(5))
    front, base = await start(outer)
    async with ClientSession() as http:
        await asyncio.gather(*(client(http, base, n) for n in range(6)))
    await outer["client"].close()
    await front.cleanup()
    await back.cleanup()
    print(outer["seen"])


asyncio.run(main())
