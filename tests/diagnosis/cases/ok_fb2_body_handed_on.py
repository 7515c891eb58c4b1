"""CLEAN: a middleware reads the body of a request and hands it on to the handler."""
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
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        body = await Request(scope, receive).body()
        sizes.append(len(body))
        left = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay():
            return left.pop() if left else await receive()

        await self.app(scope, replay, send)


async def create_order(request):
    order = await request.json()
    await asyncio.sleep(0.02)
    return JSONResponse({"got": order})


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
        for _ in range(10):
            await asyncio.gather(*(client.post("/orders", json={"number": n}) for n in range(4)))
    server.should_exit = True
    await serving


asyncio.run(main())
