"""quart: a handler renders a PDF with blocking code. truth: `invoice` sleeps/blocks 90 ms in `render_pdf`, 6 times;
10 other requests in flight are late."""
import asyncio
import time

from quart import Quart

app = Quart(__name__)


def render_pdf(n):
    time.sleep(0.09)
    return b"%PDF" + bytes(n)


@app.get("/invoice/<int:n>")
async def invoice(n):
    return render_pdf(n)


@app.get("/ping")
async def ping():
    await asyncio.sleep(0.01)
    return "pong"


async def browse(client):
    for _ in range(25):
        await client.get("/ping")


async def main():
    client = app.test_client()
    await asyncio.gather(*(browse(client) for _ in range(10)), *(client.get(f"/invoice/{n}") for n in range(6)))


asyncio.run(main())
