"""A stream of events outlives the order to stop, until the server's time limit cancels it
(Kludex/uvicorn#451).

uvicorn waits for 1.0 s, its limit, for `/events`, whose task stands in `feed.get()` of
`subscribe`: nobody publishes any more.
"""

import asyncio, time
import httpx, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

feed = asyncio.Queue()

async def subscribe():
    while True:
        yield f"data: {await feed.get()}\n\n"

async def events(request): return StreamingResponse(subscribe(), media_type="text/event-stream")

async def publish(request):
    await feed.put(1); return PlainTextResponse("ok")

app = Starlette(routes=[Route("/events", events), Route("/publish", publish)])

async def listener(c):
    try:
        async with c.stream("GET", "/events") as r:
            async for _ in r.aiter_lines(): pass
    except httpx.HTTPError as e: print("listener", type(e).__name__)

async def main():
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off", loop="asyncio", timeout_graceful_shutdown=1))
    s = asyncio.create_task(server.serve(), name="uvicorn")
    while not server.started: await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as c:
        l = asyncio.create_task(listener(c), name="listener")
        for _ in range(12): await c.get("/publish"); await asyncio.sleep(0.05)
        server.should_exit = True; t = time.perf_counter()
        await s
        print(f"truth shutdown took {time.perf_counter()-t:.2f} s")
        await l

asyncio.run(main())
