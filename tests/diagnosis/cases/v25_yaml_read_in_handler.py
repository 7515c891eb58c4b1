"""A handler reads a YAML file for each request (aiohttp, PyYAML).
truth: `feature` computes 25 ms and more in `load_config`."""
import asyncio
import os
import tempfile

import yaml
from aiohttp import ClientSession, web

PATH = os.path.join(tempfile.mkdtemp(), "flags.yaml")
with open(PATH, "w") as file:
    yaml.safe_dump({f"flag-{n}": {"on": bool(n % 2), "groups": ["a", "b", str(n)]} for n in range(300)}, file)


def load_config():
    with open(PATH) as file:
        return yaml.safe_load(file)


async def feature(request):
    flags = load_config()
    return web.json_response(flags[request.match_info["name"]])


async def health(request):
    await asyncio.sleep(0.001)
    return web.Response(text="ok")


async def user(session, url, n):
    for k in range(6):
        async with session.get(f"{url}/feature/flag-{n * 6 + k}") as answer:
            await answer.json()
        await asyncio.sleep(0.1)


async def probe(session, url):
    for _ in range(40):
        async with session.get(f"{url}/health") as answer:
            await answer.text()
        await asyncio.sleep(0.02)


async def main():
    app = web.Application()
    app.add_routes([web.get("/feature/{name}", feature), web.get("/health", health)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession() as session:
        await asyncio.gather(*(user(session, url, n) for n in range(5)), *(probe(session, url) for _ in range(3)))
    await runner.cleanup()


asyncio.run(main())
