"""A service of aiohttp and its client: names, connections, answers, messages."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

BIG, TIMES = b"x" * 1_000_000, 24  # more than the system's buffers hold
told, full = asyncio.Event(), asyncio.Event()


async def slow(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    await told.wait()
    await answer.write(b"late")
    return answer


async def echo(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    said = await socket.receive()  #: await message (aiohttp)
    await socket.send_str(said.data)
    return socket


async def upload(request: web.Request) -> web.Response:
    data = await request.read()  #: await body (aiohttp)
    return web.Response(body=data)


async def flood(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    asyncio.get_running_loop().call_later(0.01, full.set)
    for _ in range(TIMES):
        await answer.write(BIG)  #: await send (aiohttp)
    return answer


async def get(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url) as answer:  #: await connection pool (aiohttp) slots=1
        return await answer.read()


async def first(session: aiohttp.ClientSession, url: str) -> None:
    other = asyncio.create_task(get(session, url))
    async with session.get(url) as answer:  #: await response (aiohttp)
        asyncio.get_running_loop().call_later(0.01, told.set)
        await answer.read()  #: await body (aiohttp)
    await other


async def parts() -> AsyncIterator[bytes]:
    yield b"one"
    await asyncio.sleep(0.01)
    yield b"two"


async def talk(session: aiohttp.ClientSession, url: str) -> None:
    async with session.ws_connect(url) as socket:
        await asyncio.sleep(0.01)
        await socket.send_str("hello")
        await socket.receive()  #: await message (aiohttp)


def answering_after(event):
    def getaddrinfo(*args, **options):
        event.wait()
        return original(*args, **options)

    original = socket.getaddrinfo
    return getaddrinfo


async def main() -> None:
    app = web.Application()
    app.add_routes([web.get("/slow", slow), web.get("/echo", echo), web.post("/up", upload)])
    app.add_routes([web.get("/flood", flood)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        await first(session, f"{url}/slow")
    async with aiohttp.ClientSession() as session:
        suspended = threading.Event()
        asyncio.get_running_loop().call_soon(suspended.set)
        socket.getaddrinfo = answering_after(suspended)  # nor may it answer before the await
        answer = await session.get(f"http://localhost:{port}/none")  #: await DNS (aiohttp)
        answer.release()
        await asyncio.sleep(0.01)  # the server waits for the next request meanwhile
        await session.post(f"{url}/up", data=parts())  #: await connect (aiohttp)
        await talk(session, f"{url}/echo")
        async with session.get(f"{url}/flood") as answer:
            await full.wait()
            await answer.read()
    await runner.cleanup()


#: anywhere await request (aiohttp)
asyncio.run(main())
