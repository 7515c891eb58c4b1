"""Starlette on hypercorn and trio: one endpoint blocks the loop, one is sync, one quick."""

import signal
import sys
import time

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def answer(request: Request) -> JSONResponse:
    return JSONResponse({"n": int(request.query_params["n"])})


async def quick(request: Request) -> JSONResponse:
    await trio.sleep(0)
    return answer(request)


def in_a_thread(request: Request) -> JSONResponse:
    time.sleep(0.002)
    return answer(request)


async def blocking(request: Request) -> JSONResponse:
    time.sleep(0.04)  #: blocks
    return answer(request)


async def main(port: int) -> None:
    app = Starlette(
        routes=[
            Route("/quick", quick),
            Route("/sync", in_a_thread),
            Route("/blocking", blocking),
        ]
    )
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "WARNING"
    stopped = trio.Event()

    async def on_signal() -> None:
        with trio.open_signal_receiver(signal.SIGINT) as signals:
            async for _ in signals:
                stopped.set()
                return

    async with trio.open_nursery() as nursery:
        nursery.start_soon(on_signal)
        await serve(app, config, shutdown_trigger=stopped.wait)  # type: ignore[arg-type]


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]))
