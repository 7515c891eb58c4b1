"""One request makes a large CSV on the loop's thread of a busy service (FastAPI, pydantic).
truth: `export` computes for 300 ms, once, in `to_csv`."""
import asyncio
import csv
import io
import threading
import time

import httpx
import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel


class Row(BaseModel):
    id: int
    name: str
    price: float
    tags: list[str]


app = FastAPI()
RAW = [{"id": str(n), "name": f"item {n}", "price": f"{n}.5", "tags": ["a", "b", str(n)]} for n in range(100000)]


def to_csv(rows):
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        item = Row.model_validate(row)
        writer.writerow([item.id, item.name, item.price, ";".join(item.tags)])
    return out.getvalue()


@app.get("/export", response_class=PlainTextResponse)
async def export():
    return to_csv(RAW)


@app.get("/item/{number}")
async def item(number: int):
    await asyncio.sleep(0.005)
    return Row.model_validate(RAW[number])


async def shopper(client, n):
    for k in range(40):
        await client.get(f"/item/{n * 40 + k}")
        await asyncio.sleep(0.02)


async def load(url):
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        shoppers = [asyncio.create_task(shopper(client, n)) for n in range(6)]
        await asyncio.sleep(0.7)
        await client.get("/export")
        await asyncio.gather(*shoppers)


def main():
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, name="uvicorn")
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    asyncio.run(load(f"http://127.0.0.1:{port}"))
    server.should_exit = True
    thread.join()


main()
