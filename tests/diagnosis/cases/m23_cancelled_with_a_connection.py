"""A pool made of an asyncio.Queue: a cancelled query does not give its connection back
(https://github.com/sqlalchemy/sqlalchemy/issues/8145).
truth: asyncio.Queue as a pool of 2; `query` is cancelled by wait_for before it puts its
connection back; then all `query` wait 0.7 s in vain. slots never returned, query."""
import asyncio

pool = asyncio.Queue()


async def execute(sql): await asyncio.sleep(0.4 if "slow" in sql else 0.01)


async def query(sql):
    c = await pool.get()
    await execute(sql)
    pool.put_nowait(c)


async def request(sql, timeout):
    try: await asyncio.wait_for(query(sql), timeout)
    except TimeoutError: print("truth time-out", sql)


async def main():
    for i in range(2): pool.put_nowait(i)
    await asyncio.gather(*(request("select 1", 0.7) for i in range(4)))
    await asyncio.gather(request("slow", 0.1), request("slow", 0.1))
    await asyncio.gather(*(request(f"select {i}", 0.7) for i in range(5)))
asyncio.run(main())
