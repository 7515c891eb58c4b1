"""A request keeps its database session open while it awaits a language model
(https://github.com/fastapi/full-stack-fastapi-template/issues/104).
truth: all 3 connections are with `answer`, which awaits `complete` for 120 ms; 9 requests wait up to 0.4 s."""
import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

engine = create_async_engine(
    "sqlite+aiosqlite:///file:chat?mode=memory&cache=shared&uri=true",
    poolclass=AsyncAdaptedQueuePool,
    pool_size=3,
    max_overflow=0,
    pool_timeout=20,
)
Session = async_sessionmaker(engine, class_=AsyncSession)


class Model:
    async def complete(self, prompt):
        for _ in range(4):
            await asyncio.sleep(0.03)
        return prompt[::-1]


async def answer(model, question):
    async with Session() as session:
        history = (await session.execute(text("select 'hello'"))).scalar_one()
        return await model.complete(history + question)


async def main():
    model = Model()
    async with asyncio.TaskGroup() as group:
        for n in range(12):
            group.create_task(answer(model, f"question {n}"), name=f"request-{n}")
    await engine.dispose()


asyncio.run(main())
