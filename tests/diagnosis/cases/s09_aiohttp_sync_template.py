"""A handler of aiohttp reads a large template and fills it in for each request
(after reports of pages that are rendered on the loop).
truth: `render` computes over 40 ms per page; 20 requests at once wait up to a second."""
import asyncio
import string

import aiohttp
from aiohttp import web

ROWS = [(n, f"article {n}", n / 3) for n in range(20_000)]
ROW = string.Template("<tr><td>$number</td><td>$name</td><td>$price</td></tr>")


def render():
    return "".join(ROW.substitute(number=n, name=name, price=price) for n, name, price in ROWS)


async def catalogue(request):
    return web.Response(text=str(len(render())))


async def main():
    app = web.Application()
    app.router.add_get("/", catalogue)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with aiohttp.ClientSession() as session:

        async def ask():
            async with session.get(url) as response:
                return await response.text()

        await asyncio.gather(*(ask() for _ in range(20)))
    await runner.cleanup()


asyncio.run(main())
