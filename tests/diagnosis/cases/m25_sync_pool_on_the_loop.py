"""Handlers of a loop wait for a connection of a synchronous pool, on the loop's thread
(https://github.com/siddhantgoel/tornado-sqlalchemy/issues/88).
truth: sync SQLAlchemy engine (2 connections, timeout 1 s) in async handlers; two handlers hold
a connection over `await notify`; the third blocks the loop in checkout (1 s, TimeoutError), so
nobody can give back. deadlock/loop blocked at handle."""
import asyncio, sqlalchemy as sa
engine = sa.create_engine("sqlite:///n09.db", poolclass=sa.pool.QueuePool, pool_size=2, max_overflow=0, pool_timeout=1)


async def notify(i): await asyncio.sleep(0.05)


async def handle(i):
    try:
        with engine.connect() as c:
            c.execute(sa.text("select 1"))
            await notify(i)
    except sa.exc.TimeoutError: print("truth time-out", i)


async def main():
    await asyncio.gather(*(handle(i) for i in range(4)))
asyncio.run(main())
