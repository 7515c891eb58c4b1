"""Healthy: a quart service with a background task and requests that wait."""
import asyncio

from quart import Quart

app = Quart(__name__)


@app.get("/item/<int:n>")
async def item(n):
    await asyncio.sleep(0.01)
    return {"n": n}


async def refresh():
    while True:
        await asyncio.sleep(0.1)


async def browse(client, n):
    for k in range(15):
        await (await client.get(f"/item/{k}")).get_json()
        await asyncio.sleep(0.03)


async def main():
    client = app.test_client()
    background = asyncio.create_task(refresh())
    await asyncio.gather(*(browse(client, n) for n in range(6)))
    background.cancel()


asyncio.run(main())
