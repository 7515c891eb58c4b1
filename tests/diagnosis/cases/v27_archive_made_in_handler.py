"""A handler makes an archive of a folder on the loop's thread (aiohttp, shutil).
truth: `backup` keeps the loop for 100 ms and more in `archive`, 3 times."""
import asyncio
import os
import shutil
import tempfile

from aiohttp import ClientSession, web

FOLDER, TARGET = tempfile.mkdtemp(), tempfile.mkdtemp()
for n in range(40):
    with open(os.path.join(FOLDER, f"{n}.txt"), "wb") as file:
        file.write(os.urandom(20000) * 20)


def archive(name):
    return shutil.make_archive(os.path.join(TARGET, name), "zip", FOLDER)


async def backup(request):
    path = archive("backup")
    return web.json_response({"size": os.path.getsize(path)})


async def note(request):
    await asyncio.sleep(0.004)
    return web.json_response({"note": "x" * 100})


async def user(session, url):
    for _ in range(40):
        async with session.get(f"{url}/note") as answer:
            await answer.json()
        await asyncio.sleep(0.03)


async def admin(session, url):
    for _ in range(3):
        await asyncio.sleep(0.3)
        async with session.post(f"{url}/backup") as answer:
            await answer.json()


async def main():
    app = web.Application()
    app.add_routes([web.post("/backup", backup), web.get("/note", note)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession() as session:
        await asyncio.gather(admin(session, url), *(user(session, url) for _ in range(6)))
    await runner.cleanup()


asyncio.run(main())
