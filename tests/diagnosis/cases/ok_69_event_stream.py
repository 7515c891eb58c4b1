"""Healthy: a stream of events with a tick every 40 ms, to three readers."""
import asyncio

import httpx
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route


async def next_price(n):
    await asyncio.sleep(0.04)
    return f"data: {n}\n\n"


async def prices():
    for n in range(25):
        yield await next_price(n)


async def stream(request):
    return StreamingResponse(prices(), media_type="text/event-stream")


async def main():
    app = Starlette(routes=[Route("/prices", stream)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        await asyncio.gather(*(client.get("/prices") for _ in range(3)))


asyncio.run(main())
