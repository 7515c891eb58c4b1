"""Events are given to subscribers one after the other, and one of them posts to a slow webhook
(https://github.com/OpenHands/software-agent-sdk/issues/3151).
truth: `dispatcher` awaits `post_webhook` 0.12 s for each event; the queue grows to 60 events."""
import asyncio, time
from aiohttp import web, ClientSession

async def hook(request):
    await asyncio.sleep(0.12); return web.Response(text="ok")

subs = []
seen = []
async def to_ui(event): seen.append(time.monotonic() - event)
async def to_log(event): pass

async def main():
    app = web.Application(); app.router.add_post("/hook", hook)
    runner = web.AppRunner(app); await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 18788).start()
    events = asyncio.Queue()
    async with ClientSession() as session:
        async def post_webhook(event):
            async with session.post("http://127.0.0.1:18788/hook", data=b"x") as r:
                await r.read()
        subs.extend([to_log, post_webhook, to_ui])
        async def dispatch():
            while (event := await events.get()) is not None:
                for sub in subs:
                    await sub(event)
        async def emit():
            for _ in range(80):
                events.put_nowait(time.monotonic()); await asyncio.sleep(0.03)
        d = asyncio.create_task(dispatch(), name="dispatcher")
        await asyncio.gather(*[emit()])
        d.cancel()
    await runner.cleanup()
    print("late by", max(seen), len(seen))
asyncio.run(main())
