"""Sync routes that call a slow upstream have all threads of the server, and /health is sync too
(https://github.com/fastapi/fastapi/issues/4241).
truth: 4 tokens, `quote` sleeps 0.25 s in each; `health` waits up to 0.7 s for a token."""
import asyncio
import time

import anyio.to_thread
import fastapi
import httpx

app = fastapi.FastAPI()


@app.get("/quote")
def quote():
    time.sleep(0.25)
    return {}


@app.get("/health")
def health():
    return {"ok": True}


async def main():
    anyio.to_thread.current_default_thread_limiter().total_tokens = 4
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        quotes = [asyncio.create_task(client.get("/quote")) for _ in range(12)]
        await asyncio.sleep(0.05)
        await asyncio.gather(*quotes, *(client.get("/health") for _ in range(3)))


asyncio.run(main())
