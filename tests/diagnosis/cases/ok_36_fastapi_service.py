"""HEALTHY: a FastAPI service with quick async and sync endpoints, and 8 clients."""
import asyncio
import socket

import httpx
import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/items/{n}")
async def item(n: int):
    await asyncio.sleep(0.005)
    return {"n": n}


@app.get("/total")
def total():
    return {"total": sum(range(1000))}


async def client(http):
    for n in range(15):
        await http.get(f"/items/{n}")
        await http.get("/total")


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=base, verify=False) as http:
        await asyncio.gather(*(client(http) for _ in range(8)))
    server.should_exit = True
    await serving


asyncio.run(main())
