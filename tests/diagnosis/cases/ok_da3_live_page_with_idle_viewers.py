"""Healthy: viewers of a live page wait for news with a time limit and send a comment when there is none. Needs aiohttp.

Truth: 8 viewers for 4 s; news comes each 1.2 s; the time limits of 0.3 s are the keep-alive of the stream.
"""

import asyncio
import time

from aiohttp import ClientSession, web


class Page:
    def __init__(self):
        self.viewers = set()

    def publish(self, news):
        for queue in self.viewers:
            queue.put_nowait(news)

    async def stream(self, request):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue = asyncio.Queue()
        self.viewers.add(queue)
        try:
            while True:
                try:
                    news = await asyncio.wait_for(queue.get(), 0.3)
                except TimeoutError:
                    await response.write(b": nothing new\n\n")
                    continue
                if news is None:
                    return response
                await response.write(f"data: {news}\n\n".encode())
        finally:
            self.viewers.discard(queue)


async def view(session, url, lines):
    async with session.get(url) as response:
        async for line in response.content:
            lines.append(line)


async def main():
    page, lines = Page(), []
    app = web.Application()
    app.router.add_get("/live", page.stream)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/live"
    async with ClientSession() as session:
        viewers = [asyncio.create_task(view(session, url, lines)) for _ in range(8)]
        for n in range(3):
            await asyncio.sleep(1.2)
            page.publish(n)
        await asyncio.sleep(0.2)
        page.publish(None)
        await asyncio.gather(*viewers)
    await runner.cleanup()
    print("truth", sum(line.startswith(b"data") for line in lines), "news seen", round(time.monotonic()) > 0)


asyncio.run(main())
