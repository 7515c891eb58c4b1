"""The same service in each framework: `/` is quick, `/blocking` keeps the loop from everybody.

`name:app` for a server, `python frameworks.py PORT` for aiohttp, whose applications serve
themselves.
"""

import os
import sys
import time
from typing import Any

WORKER = {"worker": str(os.getpid())}


def blocks() -> None:
    time.sleep(0.04)  #: blocking


def fastapi() -> Any:
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    app = FastAPI()

    @app.get("/")
    async def quick() -> PlainTextResponse:
        return PlainTextResponse("/", headers=WORKER)

    @app.get("/blocking")
    async def blocking() -> PlainTextResponse:
        blocks()
        return PlainTextResponse("/blocking", headers=WORKER)

    return app


def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def quick(request: Request) -> PlainTextResponse:
        return PlainTextResponse("/", headers=WORKER)

    async def blocking(request: Request) -> PlainTextResponse:
        blocks()
        return PlainTextResponse("/blocking", headers=WORKER)

    return Starlette(routes=[Route("/", quick), Route("/blocking", blocking)])


def quart() -> Any:
    from quart import Quart, Response

    app = Quart(__name__)

    @app.get("/")
    async def quick() -> Response:
        return Response("/", headers=WORKER)

    @app.get("/blocking")
    async def blocking() -> Response:
        blocks()
        return Response("/blocking", headers=WORKER)

    return app


def aiohttp(port: int) -> None:
    import uvloop
    from aiohttp import web

    async def quick(request: web.Request) -> web.Response:
        return web.Response(text="/", headers=WORKER)

    async def blocking(request: web.Request) -> web.Response:
        blocks()
        return web.Response(text="/blocking", headers=WORKER)

    app = web.Application()
    app.add_routes([web.get("/", quick), web.get("/blocking", blocking)])
    web.run_app(app, host="127.0.0.1", port=port, print=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    aiohttp(int(sys.argv[1]))
