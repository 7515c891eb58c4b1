"""Tasks keep all connections and wait for an event which is set only by one who needs a
connection (https://github.com/sqlalchemy/sqlalchemy/issues/5546).
truth: both connections are with `worker` tasks that wait (in `wait_for_go`) for an Event which
`release_all` sets only after it got a connection. Circle through the pool; ends by time-out of
1 s."""
import asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

go = None


async def wait_for_go(): await asyncio.wait_for(go.wait(), 1.2)


async def worker(engine, i):
    async with engine.connect() as c:
        await c.execute(text("select 1"))
        try: await wait_for_go()
        except TimeoutError: print("truth time-out", i)


async def release_all(engine):
    async with engine.connect() as c:
        await c.execute(text("select 2"))
        go.set()


async def main():
    global go
    go = asyncio.Event()
    engine = create_async_engine("sqlite+aiosqlite:///m12.db", pool_size=2, max_overflow=0)
    ws = [asyncio.create_task(worker(engine, i), name=f"worker-{i}") for i in range(2)]
    await asyncio.sleep(0.1)
    await asyncio.gather(asyncio.create_task(release_all(engine), name="admin"), *ws)
    await engine.dispose()
asyncio.run(main())
