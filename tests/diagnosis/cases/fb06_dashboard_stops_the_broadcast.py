"""Messages are sent to websockets of Starlette one after the other; one that does not read stops all
(https://github.com/Iamkewl/Attendence-V3/issues/38).
truth: `broadcast` stands 1.5 s in `send_text` to one client; the other 5 get nothing meanwhile."""
import asyncio
import time

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import connect

clients = []
gaps = []


async def dashboard(websocket):
    await websocket.accept()
    clients.append(websocket)
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        clients.remove(websocket)


async def broadcast(events):
    while (event := await events.get()) is not None:
        for websocket in list(clients):
            await websocket.send_text(event)


async def watch(url):
    async with connect(url, proxy=None, compression=None) as connection:
        last = time.monotonic()
        for _ in range(60):
            await connection.recv()
            gaps.append(time.monotonic() - last)
            last = time.monotonic()


async def stalled(url):
    async with connect(url, proxy=None, compression=None, max_queue=1) as connection:
        await asyncio.sleep(1.8)
        async for _ in connection:
            pass


async def main():
    app = Starlette(routes=[WebSocketRoute("/", dashboard)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    url = f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    other = asyncio.create_task(stalled(url))
    watchers = [asyncio.create_task(watch(url)) for _ in range(5)]
    while len(clients) < 6:
        await asyncio.sleep(0.01)
    events = asyncio.Queue()
    sending = asyncio.create_task(broadcast(events))
    for _ in range(60):
        events.put_nowait("x" * 300_000)
        await asyncio.sleep(0.01)
    await asyncio.gather(*watchers)
    events.put_nowait(None)
    await sending
    other.cancel()
    print("truth", round(max(gaps), 2))
    server.should_exit = True
    await serving


asyncio.run(main())
