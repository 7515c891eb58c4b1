"""A middleware of a FastAPI service waits with `time.sleep` for a rate limit
(https://github.com/microsoft/kiota-python/issues/505 is the same in a client).
truth: `limit` blocks the loop 6 x 60 ms; other requests are late."""
import asyncio
import time

import fastapi
import httpx

app = fastapi.FastAPI()


@app.middleware("http")
async def limit(request, call_next):
    if request.url.path == "/search":
        time.sleep(0.06)
    return await call_next(request)


@app.get("/search")
async def search():
    return {}


@app.get("/health")
async def health():
    return {}


async def main():
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        paths = ["/search"] * 6 + ["/health"] * 10
        await asyncio.gather(*(client.get(path) for path in paths))


asyncio.run(main())
