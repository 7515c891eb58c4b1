"""Synchronous background tasks run in the threads of the synchronous endpoints
(https://github.com/Kludex/starlette/issues/1724).
truth: the 4 tokens are with `send_report`, 0.6 s each; the endpoint `ping` waits for one, up to 1.8 s."""
import asyncio
import time

import anyio.to_thread
import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.routing import Route


def send_report():
    time.sleep(0.6)


async def order(request):
    return PlainTextResponse("thanks", background=BackgroundTask(send_report))


def ping(request):
    return PlainTextResponse("pong")


app = Starlette(routes=[Route("/order", order), Route("/ping", ping)])


async def main():
    anyio.to_thread.current_default_thread_limiter().total_tokens = 4
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:

        async def ask(path, after):
            await asyncio.sleep(after)
            began = time.monotonic()
            await client.get(path)
            return time.monotonic() - began

        orders = [ask("/order", 0.01 * n) for n in range(12)]
        pings = [ask("/ping", 0.2 + 0.2 * n) for n in range(5)]
        times = await asyncio.gather(*orders, *pings)
    print("truth", f"ping {max(times[12:]):.2f} s")


asyncio.run(main())
