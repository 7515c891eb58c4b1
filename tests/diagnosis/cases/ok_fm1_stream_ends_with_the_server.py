"""Streams that end when the server stops; what runs beside it is cancelled afterwards.
"""

import asyncio, httpx, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
stop = asyncio.Event()
async def ticks():
    while not stop.is_set():
        yield "data: 1\n\n"
        try: await asyncio.wait_for(stop.wait(), 0.05)
        except TimeoutError: pass
async def events(request): return StreamingResponse(ticks(), media_type="text/event-stream")
app = Starlette(routes=[Route("/events", events), Route("/p", lambda r: PlainTextResponse("ok"))])
async def refresh():
    while True: await asyncio.sleep(0.3)
async def listen(c):
    async with c.stream("GET", "/events") as r:
        async for _ in r.aiter_lines(): pass
async def main():
    bg = [asyncio.create_task(refresh(), name=f"refresh-{i}") for i in range(3)]
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
    s = asyncio.create_task(server.serve(), name="uvicorn")
    while not server.started: await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as c:
        l = asyncio.create_task(listen(c))
        for _ in range(10): await c.get("/p"); await asyncio.sleep(0.08)
        stop.set(); server.should_exit = True
        await s; await l
    for b in bg: b.cancel()
    await asyncio.gather(*bg, return_exceptions=True)
asyncio.run(main())
