"""Starlette: a dashboard asks for its twelve widgets one after the other
(https://github.com/exo-explore/exo/issues/31 and "N+1 requests" reports).
truth: `load_widgets` awaits `fetch_widget` 12 times, 35 ms each, in each of 4 requests: 420 ms instead of 35."""
import asyncio

import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def widget(request):
    await asyncio.sleep(0.03)
    return JSONResponse({"id": request.path_params["n"]})


async def fetch_widget(client, n):
    return (await client.get(f"/widget/{n}")).json()


async def load_widgets(client):
    widgets = []
    for n in range(12):
        widgets.append(await fetch_widget(client, n))
    return widgets


async def dashboard(request):
    return JSONResponse(await load_widgets(request.app.state.client))


app = Starlette(routes=[Route("/widget/{n}", widget), Route("/", dashboard)])


async def main():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        app.state.client = client
        await asyncio.gather(*(client.get("/") for _ in range(4)))


asyncio.run(main())
