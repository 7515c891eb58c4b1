"""A handler walks a folder of thousands of files on the loop's thread
(home-assistant "Detected blocking call to glob/scandir/listdir", ).
truth: `list_media` takes 60-150 ms per call in os.walk/os.stat, 6 calls; 12 pollers are late."""
import asyncio
import os
import tempfile

from aiohttp import ClientSession, web

FOLDER = tempfile.mkdtemp()


def list_media(folder):
    found = []
    for root, _, files in os.walk(folder):
        for name in files:
            info = os.stat(os.path.join(root, name))
            found.append((name, info.st_size, info.st_mtime))
    return sorted(found)


async def media(request):
    return web.json_response({"files": len(list_media(FOLDER))})


async def poll():
    while True:
        await asyncio.sleep(0.01)


async def main():
    for n in range(60):
        os.mkdir(os.path.join(FOLDER, str(n)))
        for k in range(150):
            open(os.path.join(FOLDER, str(n), f"{k}.mp3"), "w").close()
    app = web.Application()
    app.router.add_get("/media", media)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    polls = [asyncio.create_task(poll()) for _ in range(12)]
    async with ClientSession() as session:
        for _ in range(6):
            async with session.get(f"http://127.0.0.1:{port}/media") as answer:
                await answer.json()
            await asyncio.sleep(0.05)
    for task in polls:
        task.cancel()
    await runner.cleanup()


asyncio.run(main())
