"""aiohttp on uvloop: an endpoint that blocks the loop, one that asks another, a quick one."""

import sys
import time
from collections.abc import AsyncIterator

import uvloop
from aiohttp import ClientSession, web


async def quick(request: web.Request) -> web.Response:
    return web.json_response({"n": int(request.query["n"])})


async def asking(request: web.Request) -> web.Response:
    port, n = sys.argv[1], request.query["n"]
    session = request.app[SESSION]
    async with session.get(f"http://127.0.0.1:{port}/quick?n={n}") as answer:
        return web.json_response(await answer.json())


async def blocking(request: web.Request) -> web.Response:
    time.sleep(0.04)  #: blocks
    return await quick(request)


async def session_of(app: web.Application) -> AsyncIterator[None]:
    async with ClientSession() as app[SESSION]:
        yield


SESSION = web.AppKey("session", ClientSession)
app = web.Application()
app.cleanup_ctx.append(session_of)
app.add_routes(
    [web.get("/quick", quick), web.get("/asking", asking), web.get("/blocking", blocking)]
)
if __name__ == "__main__":
    web.run_app(
        app, host="127.0.0.1", port=int(sys.argv[1]), print=None, loop=uvloop.new_event_loop()
    )
