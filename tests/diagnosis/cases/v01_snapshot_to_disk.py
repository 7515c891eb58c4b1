"""A background task writes the whole state of a service to disk on the loop's thread now and then
(after https://github.com/Git-on-my-level/codex-autorunner/issues/1375).
truth: `save_forever` computes 50 to 150 ms at a time in json.dump (`save_state`); all requests are late."""
import asyncio
import json
import os
import tempfile

from aiohttp import ClientSession, web

STATE = {f"device-{n}": {"temperature": n % 40, "history": list(range(12))} for n in range(9000)}
FILE = os.path.join(tempfile.mkdtemp(), "state.json")


def save_state():
    with open(FILE + ".new", "w") as file:
        json.dump(STATE, file)
    os.replace(FILE + ".new", FILE)


async def save_forever():
    while True:
        await asyncio.sleep(0.45)
        save_state()


async def device(request):
    name = request.match_info["name"]
    await asyncio.sleep(0.002)
    return web.json_response(STATE.get(name, {}))


async def report(request):
    STATE[request.match_info["name"]]["temperature"] = 21
    return web.json_response({"ok": True})


async def client(session, url, n):
    for k in range(70):
        name = f"device-{(n * 37 + k) % 9000}"
        async with session.get(f"{url}/device/{name}") as answer:
            await answer.json()
        if k % 5 == 0:
            async with session.post(f"{url}/device/{name}") as answer:
                await answer.json()
        await asyncio.sleep(0.02)


async def main():
    app = web.Application()
    app.add_routes([web.get("/device/{name}", device), web.post("/device/{name}", report)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    saver = asyncio.create_task(save_forever())
    async with ClientSession() as session:
        await asyncio.gather(*(client(session, url, n) for n in range(8)))
    saver.cancel()
    await runner.cleanup()


asyncio.run(main())
