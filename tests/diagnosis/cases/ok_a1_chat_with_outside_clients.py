"""Healthy: an aiohttp web socket server whose 12 clients are another process."""
import asyncio
import json
import sys

from aiohttp import web

CLIENT = '''
import asyncio, sys
import aiohttp
async def go(session, n):
    async with session.ws_connect(f"http://127.0.0.1:{sys.argv[1]}/") as ws:
        for k in range(20):
            await ws.send_str('{"n": %d}' % k)
            await ws.receive()
            await asyncio.sleep(0.03)
async def main():
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(go(session, n) for n in range(12)))
asyncio.run(main())
'''


async def chat(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(json.dumps({"seen": json.loads(message.data)["n"], "pad": "x" * 300}))
    return socket


async def main():
    app = web.Application()
    app.router.add_get("/", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    clients = await asyncio.create_subprocess_exec(sys.executable, "-c", CLIENT, str(port))
    await clients.wait()
    await runner.cleanup()


asyncio.run(main())
