"""A service of uvicorn over each of its protocols: bodies that come late, messages, and more
than its client takes, until that reads."""

import asyncio
import socket
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from websockets.asyncio.client import connect

type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]

BIG, TIMES = "x" * 1_000_000, 24  # more than the system's buffers hold
PART = {"type": "http.response.body", "body": BIG.encode(), "more_body": True}
MESSAGE = {"type": "websocket.send", "text": BIG}


async def hear_h11(receive: Receive) -> None:
    await receive()  #: await body (uvicorn)


async def hear_httptools(receive: Receive) -> None:
    await receive()  #: await body (uvicorn)


async def hear_websockets(receive: Receive) -> None:
    await receive()  #: await message (uvicorn)


async def hear_websockets_sansio(receive: Receive) -> None:
    await receive()  #: await message (uvicorn)


async def hear_wsproto(receive: Receive) -> None:
    await receive()  #: await message (uvicorn)


async def tell_h11(send: Send) -> None:
    await send(PART)  #: await send (uvicorn)


async def tell_httptools(send: Send) -> None:
    await send(PART)  #: await send (uvicorn)


async def tell_websockets(send: Send) -> None:
    await send(MESSAGE)  #: await send (uvicorn)


async def tell_websockets_sansio(send: Send) -> None:
    await send(MESSAGE)  #: await send (uvicorn)


async def tell_wsproto(send: Send) -> None:
    await send(MESSAGE)  #: await send (uvicorn)


def app_of(protocol: str) -> Any:
    name = protocol.replace("-", "_")
    hear, tell = globals()[f"hear_{name}"], globals()[f"tell_{name}"]

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await hear(receive)
        else:
            await hear(receive)
            await send({"type": "http.response.start", "status": 200})
        asyncio.get_running_loop().call_later(0.01, full.set)
        for _ in range(TIMES):
            await tell(send)
        if scope["type"] == "http":
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "websocket.close"})

    return app


async def post(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"
    )
    await asyncio.sleep(0.01)
    writer.write(b"late")
    await full.wait()
    await reader.read()
    while not reader.at_eof():
        await reader.read()
    writer.close()


async def talk(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}", max_size=None, compression=None) as server:
        await asyncio.sleep(0.01)
        await server.send("hello")
        await full.wait()
        for _ in range(TIMES):
            await server.recv()


async def serve(**protocol: Any) -> None:
    (name,) = protocol.values()
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app_of(name),
        lifespan="off",
        log_level="critical",
        ws_per_message_deflate=False,
        **protocol,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    full.clear()
    await (post if "http" in protocol else talk)(listening.getsockname()[1])
    server.should_exit = True
    await serving


async def main() -> None:
    for name in ("h11", "httptools"):
        await serve(http=name)
    for name in ("websockets", "websockets-sansio", "wsproto"):
        await serve(ws=name)


full = asyncio.Event()
warnings.simplefilter("ignore", DeprecationWarning)  # of what websockets calls its legacy
asyncio.run(main())
