"""A stream of server-sent events that gives its session back before it begins."""
import asyncio
import os
import signal
import threading
import time
import urllib.request
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

PORT = 24000 + os.getpid() % 2000
CLIENTS = [(1, "/chat/stream")] * 4 + [(3, "/dict")] * 2
URL = os.environ["PG_URL"].replace("postgresql:", "postgresql+asyncpg:")
engine = create_async_engine(URL, pool_size=6, max_overflow=0, pool_timeout=5)
Session = async_sessionmaker(engine, expire_on_commit=False)


async def get_db():
    async with Session() as session:
        yield session


Db = Annotated[AsyncSession, Depends(get_db)]


class Retriever:
    def __init__(self, db):
        self.db = db

    async def passages(self, question):
        return (await self.db.execute(text("select generate_series(1, 5)"))).scalars().all()


class Model:
    async def tokens(self, passages):
        for word in ("the", "answer", "is", "in", "passage", str(passages[0])):
            await asyncio.sleep(0.2)
            yield f"data: {word}\n\n"


app = FastAPI()
model = Model()


@app.get("/chat/stream")
async def chat_stream(db: Db):
    passages = await Retriever(db).passages("where")
    await db.close()

    async def events():
        async for chunk in model.tokens(passages):
            yield chunk

    return StreamingResponse(events(), media_type="text/event-stream")


@app.get("/dict")
async def dictionary(db: Db):
    return {"n": (await db.execute(text("select count(*) from pg_class"))).scalar()}


@app.get("/ping")
async def ping():
    return {}


def load(parent):
    def get(path):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=8).read()
        except urllib.error.HTTPError:
            return b""

    for _ in range(400):
        try:
            get("/ping")
            break
        except OSError:
            time.sleep(0.02)
    clients = [threading.Thread(target=lambda path=path: [get(path) for _ in range(times)]) for times, path in CLIENTS]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    os.kill(parent, signal.SIGINT)
    os._exit(0)


if __name__ == "__main__":
    me = os.getpid()
    if os.fork() == 0:
        load(me)
    uvicorn.run(app, port=PORT, log_level="critical")
