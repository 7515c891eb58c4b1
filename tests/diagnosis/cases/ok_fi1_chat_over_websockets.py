"""Healthy: an aiohttp websocket chat with a broadcast, clients that come and go, and an orderly stop."""

import asyncio
import random

import aiohttp
from aiohttp import web

members = set()


async def chat(request):
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    members.add(ws)
    try:
        async for message in ws:
            for member in list(members):
                await member.send_str(message.data)
    finally:
        members.discard(ws)
    return ws


async def person(url, number):
    await asyncio.sleep(random.uniform(0, 0.1))
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
        for n in range(8):
            await ws.send_str(f"{number}: {n}")
            await ws.receive()
            await asyncio.sleep(random.uniform(0.05, 0.1))


async def main():
    app = web.Application()
    app.router.add_get("/chat", chat)
    runner = web.AppRunner(app, shutdown_timeout=2.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/chat"
    await asyncio.gather(*(person(url, number) for number in range(8)))
    await runner.cleanup()


asyncio.run(main())
