"""HEALTHY: FastAPI with sync and async routes, background tasks, a lock around a cache for moments, 10 clients, 2 s."""
import asyncio
import threading
import time

import httpx
import uvicorn
from fastapi import BackgroundTasks, FastAPI

app = FastAPI()
CACHE, LOCK, SENT = {}, asyncio.Lock(), []


async def load(number):
    await asyncio.sleep(0.01)
    return {"id": number, "rows": list(range(100))}


@app.get("/item/{number}")
async def item(number: int):
    async with LOCK:
        known = CACHE.get(number)
    if known is None:
        known = await load(number)
        async with LOCK:
            CACHE[number] = known
    return known


@app.get("/sync/{number}")
def sync(number: int):
    time.sleep(0.01)
    return {"sum": sum(range(number * 100))}


def note(number):
    SENT.append(number)


@app.post("/order/{number}")
async def order(number: int, background: BackgroundTasks):
    background.add_task(note, number)
    return {"ok": True}


async def client(http, n):
    for k in range(15):
        await http.get(f"/item/{k}")
        await http.get(f"/sync/{k}")
        await http.post(f"/order/{n * 100 + k}")
        await asyncio.sleep(0.03)


async def drive(url):
    async with httpx.AsyncClient(base_url=url, timeout=20) as http:
        await asyncio.gather(*(client(http, n) for n in range(10)))


def main():
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, name="uvicorn")
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    asyncio.run(drive(f"http://127.0.0.1:{port}"))
    server.should_exit = True
    thread.join()


main()
