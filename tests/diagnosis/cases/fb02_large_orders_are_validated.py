"""An endpoint of FastAPI answers with orders of many items: building and validating them takes the loop
(https://el-pixel.com/fastapi-performance-optimization).
truth: each `get_order` computes some 30 ms in `to_item` and in the check of its answer; 40 at once take over 1 s,
`/health` waits as long."""
import asyncio
import time

import httpx
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    sku: str
    name: str
    price: float
    tags: list[str]


class Order(BaseModel):
    id: int
    items: list[Item]


def to_item(number):
    return {"sku": f"s{number}", "name": f"thing {number}", "price": number / 7, "tags": ["a", "b", "c"]}


@app.get("/orders/{number}", response_model=Order)
async def get_order(number: int):
    await asyncio.sleep(0.005)
    return {"id": number, "items": [to_item(n) for n in range(12_000)]}


@app.get("/health")
async def health():
    return {"up": True}


async def main():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        orders = asyncio.gather(*(client.get(f"/orders/{n}") for n in range(40)))
        late = []
        while not orders.done():
            began = time.monotonic()
            await asyncio.sleep(0.02)
            await client.get("/health")
            late.append(time.monotonic() - began - 0.02)
        await orders
    print("truth /health", round(max(late), 2))


asyncio.run(main())
