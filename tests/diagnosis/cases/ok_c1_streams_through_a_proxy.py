"""HEALTHY: a proxy streams answers of a slow upstream (in-process): 15 clients, tokens every 20 ms, time-outs, semaphore of 20."""
import asyncio

from aiohttp import ClientSession, ClientTimeout, web


async def upstream(request):
    answer = web.StreamResponse()
    await answer.prepare(request)
    for n in range(25):
        await asyncio.sleep(0.02)
        await answer.write(b"token%d " % n)
    await answer.write_eof()
    return answer


async def proxy(request):
    async with request.app["limit"], request.app["session"].get(request.app["url"] + "/upstream") as source:
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for chunk in source.content.iter_any():
            await answer.write(chunk)
        await answer.write_eof()
        return answer


async def client(session, url, n):
    await asyncio.sleep(n * 0.03)
    for _ in range(2):
        async with session.get(f"{url}/proxy", timeout=ClientTimeout(10)) as answer:
            await answer.read()
        await asyncio.sleep(0.1)


async def main():
    app = web.Application()
    app["limit"] = asyncio.Semaphore(20)
    app.add_routes([web.get("/upstream", upstream), web.get("/proxy", proxy)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    app["url"] = url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession() as session, ClientSession() as other:
        app["session"] = other
        await asyncio.gather(*(client(session, url, n) for n in range(15)))
    await runner.cleanup()


asyncio.run(main())
