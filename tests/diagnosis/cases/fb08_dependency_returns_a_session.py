"""A dependency of FastAPI returns a session instead of yielding it: nobody closes it
(https://tech-holder.blogspot.com/2026/03/fixing-fastapi-and-async-sqlalchemy.html).
truth: 4 connections taken by `read_user` are never given back; 6 requests wait 0.8 s each and fail."""
import asyncio
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, Request
from sqlalchemy import AsyncAdaptedQueuePool, text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine(
    "sqlite+aiosqlite:///file:fb08?mode=memory&cache=shared&uri=true",
    poolclass=AsyncAdaptedQueuePool,
    pool_size=4,
    max_overflow=0,
    pool_timeout=0.8,
)
make_session = async_sessionmaker(engine)
app = FastAPI()
app.state.sessions = {}


async def get_db(request: Request):
    session = app.state.sessions[id(request)] = make_session()
    return session


@app.get("/users/{number}")
async def read_user(number: int, db: Annotated[AsyncSession, Depends(get_db)]):
    return {"user": (await db.execute(text("select :n"), {"n": number})).scalar()}


async def ask(client, number):
    try:
        await client.get(f"/users/{number}")
    except PoolTimeout:
        print("truth", number, "failed")


async def main():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        for batch in range(2):
            await asyncio.gather(*(ask(client, batch * 10 + n) for n in range(5)))
    for session in app.state.sessions.values():
        await session.close()
    await engine.dispose()


asyncio.run(main())
