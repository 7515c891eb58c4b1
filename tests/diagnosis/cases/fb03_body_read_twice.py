"""A middleware reads the body of a request, so that the handler waits for it for ever
(https://github.com/Kludex/starlette/issues/847).
truth: `create_order` waits in `request.json()` for a body that `Audit` has read; 4 clients give up after 1.2 s."""
import asyncio

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

sizes = []


class Audit:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            sizes.append(len(await Request(scope, receive).body()))
        await self.app(scope, receive, send)


async def create_order(request):
    order = await request.json()
    return JSONResponse({"got": order})


async def post(client, number):
    try:
        await client.post("/orders", json={"number": number})
    except httpx.ReadTimeout:
        print("truth", number, "got no answer")


async def main():
    app = Starlette(
        routes=[Route("/orders", create_order, methods=["POST"])], middleware=[Middleware(Audit)]
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=1.2) as client:
        await asyncio.gather(*(post(client, n) for n in range(4)))
    server.should_exit = True
    await serving


asyncio.run(main())
