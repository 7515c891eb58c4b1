"""After github.com/fastapi/fastapi/issues/1313: a background task that is `async def` and blocks. Needs fastapi, uvicorn, httpx.

Truth: `send_mail` is a coroutine and sleeps 0.5 s with `time.sleep` after each of 5 orders; meanwhile /ping of others waits
for up to 0.5 s and more.
"""

import asyncio
import socket
import time

import httpx
import uvicorn
from fastapi import BackgroundTasks, FastAPI

app = FastAPI()


async def send_mail(order):
    time.sleep(0.5)  # smtplib


@app.post("/orders/{order}")
async def create_order(order: int, tasks: BackgroundTasks):
    tasks.add_task(send_mail, order)
    return {"order": order}


@app.get("/ping")
async def ping():
    return "pong"


async def pings(client, times, stop):
    while not stop.is_set():
        began = time.monotonic()
        await client.get("/ping")
        times.append(time.monotonic() - began)
        await asyncio.sleep(0.05)


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    times, stop = [], asyncio.Event()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url) as client:
        monitors = [asyncio.create_task(pings(client, times, stop)) for _ in range(4)]
        for n in range(5):
            await asyncio.sleep(0.3)
            await client.post(f"/orders/{n}")
        stop.set()
        await asyncio.gather(*monitors)
    server.should_exit = True
    await serving
    print("truth slowest ping", round(max(times), 2), "s")


asyncio.run(main())
