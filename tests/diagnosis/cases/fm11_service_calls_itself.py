"""Handlers call their own service by way of one client with two connections, two levels deep
(cf. https://github.com/encode/httpcore/issues/454, a pool in which all wait).

Two requests for `/report` come at once; each has a connection for `/step`, whose handler waits
in `step` for one for `/leaf`, 1.0 s, until the pool's time-out.
"""

import asyncio, time
import httpx, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def report(request):
    r = await inner.get("/step"); return JSONResponse({"s": r.status_code})
async def step(request):
    await asyncio.sleep(0.05); r = await inner.get("/leaf"); return JSONResponse(r.json())
async def leaf(request):
    await asyncio.sleep(0.02); return JSONResponse({"n": 1})
app = Starlette(routes=[Route("/report", report), Route("/step", step), Route("/leaf", leaf)])

async def main():
    global inner
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    s = asyncio.create_task(server.serve())
    while not server.started: await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    inner = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=httpx.Limits(max_connections=2), timeout=httpx.Timeout(5, pool=1.0))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as c:
        async def one(i):
            t = time.perf_counter(); r = await c.get("/report"); print(f"truth report {i}: {r.text[:20]} {time.perf_counter()-t:.2f} s")
        await one("warm")
        async def leaves():
            for _ in range(15): await c.get("/leaf"); await asyncio.sleep(0.05)
        await asyncio.gather(one(1), one(2), leaves())
    await inner.aclose(); server.should_exit = True; await s
asyncio.run(main())
