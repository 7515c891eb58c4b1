"""A coroutine awaits an answer without a time-out, and the server never answers
(https://github.com/psf/requests/issues/3070 is the same of threads).
truth: `fetch_rate` awaits the response for 1.3 s until the program gives up; nobody answers."""
import asyncio

import aiohttp


async def say_nothing(reader, writer):
    await reader.read()


async def fetch_rate(session, url):
    async with session.get(url) as response:
        return await response.text()


async def main():
    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/rate"
    async with aiohttp.ClientSession() as session:
        try:
            await asyncio.wait_for(fetch_rate(session, url), 1.3)
        except TimeoutError:
            print("truth no answer")
    server.close()


asyncio.run(main())
