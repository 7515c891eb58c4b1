"""One connection of aiosqlite for all: its thread runs a slow statistic, and reads wait behind it
(https://github.com/omnilib/aiosqlite#details: one thread for each connection).
truth: `stats` keeps the only thread 0.25 s and more; `get_user` waits as long for its row."""
import asyncio, aiosqlite
SLOW = "with recursive c(x) as (select 1 union all select x+1 from c where x < 900000) select sum(x) from c"
async def main():
    db = await aiosqlite.connect(":memory:")
    await db.execute("create table u (id int, name text)"); await db.execute("insert into u values (1, 'a')")
    async def stats():
        for _ in range(8):
            async with db.execute(SLOW) as c: await c.fetchall()
            await asyncio.sleep(0.05)
    done = False
    async def get_user():
        async with db.execute("select * from u where id = 1") as c: return await c.fetchone()
    async def web():
        while not done: await get_user(); await asyncio.sleep(0.02)
    ws = [asyncio.create_task(web(), name=f"web-{i}") for i in range(4)]
    await stats(); done = True
    await asyncio.gather(*ws); await db.close()
asyncio.run(main())
