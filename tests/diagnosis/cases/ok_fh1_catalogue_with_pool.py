"""Healthy: a Starlette app with a client pool that fits, a semaphore that seldom waits, a lifespan task."""

import asyncio
import random

import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

limit = asyncio.Semaphore(20)


async def item(request):
    async with limit:
        await asyncio.sleep(random.uniform(0.004, 0.012))
    return JSONResponse({"id": request.path_params["id"]})


app = Starlette(routes=[Route("/item/{id}", item)])


async def refresh():
    while True:
        await asyncio.sleep(0.25)


async def browse(http, number):
    for n in range(15):
        await http.get(f"/item/{number * 100 + n}")
        await asyncio.sleep(random.uniform(0.02, 0.06))


async def main():
    keeper = asyncio.create_task(refresh())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        await asyncio.gather(*(browse(http, n) for n in range(10)))
    keeper.cancel()


asyncio.run(main())
