"""HEALTHY: FastAPI and asyncpg, bursts of 8 requests, a pool of 10; the client is made once."""
import asyncio, os
import asyncpg, httpx, uvicorn
from contextlib import asynccontextmanager
from fastapi import FastAPI
@asynccontextmanager
async def life(app):
    app.pool = await asyncpg.create_pool(os.environ["PG_URL"], min_size=10, max_size=10)
    yield
    await app.pool.close()
app = FastAPI(lifespan=life)
@app.get("/user/{n}")
async def user(n: int):
    async with app.pool.acquire() as c: return {"v": await c.fetchval("select $1::int + 1", n)}
async def main():
    s = uvicorn.Server(uvicorn.Config(app, port=18786, log_level="warning")); t = asyncio.create_task(s.serve())
    while not s.started: await asyncio.sleep(0.02)
    async with httpx.AsyncClient(base_url="http://127.0.0.1:18786") as h:
        for _ in range(8):
            await asyncio.gather(*[h.get(f"/user/{i}") for i in range(8)]); await asyncio.sleep(0.3)
    s.should_exit = True; await t
asyncio.run(main())
