"""A large answer is encoded on the loop, and /health is late
(https://github.com/fastapi/fastapi/issues/1224).
truth: each /export blocks the loop for some 200 ms in `jsonable_encoder`; /health waits."""
import asyncio

import fastapi
import httpx

app = fastapi.FastAPI()


@app.get("/export")
async def export():
    return [{"id": n, "name": f"row {n}", "tags": ["a", "b", str(n)]} for n in range(9_000)]


@app.get("/health")
async def health():
    return {"ok": True}


async def main():
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def poll():
            for _ in range(5):
                await client.get("/health")
                await asyncio.sleep(0.01)

        await asyncio.gather(*(client.get("/export") for _ in range(3)), poll(), poll(), poll())


asyncio.run(main())
