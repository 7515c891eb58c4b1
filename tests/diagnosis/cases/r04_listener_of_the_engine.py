"""A listener of SQLAlchemy's engine writes an audit line to a slow service before each statement
(after reports of event hooks that call blocking code in asynchronous engines).
truth: `audit` blocks the loop 40 ms per statement, asleep; 10 requests wait for each other."""
import asyncio
import time

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine("sqlite+aiosqlite://")


@event.listens_for(engine.sync_engine, "before_cursor_execute")
def audit(connection, cursor, statement, parameters, context, executemany):
    time.sleep(0.04)  # a call over the network


async def request(number):
    async with engine.connect() as connection:
        for _ in range(2):
            await connection.execute(text("select 1"))
            await asyncio.sleep(0.01)


async def main():
    await asyncio.gather(*(request(n) for n in range(10)))
    await engine.dispose()


asyncio.run(main())
