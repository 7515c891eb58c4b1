"""A handler calls a library that tries again with time.sleep (tenacity).
truth: `charge` sleeps 40 to 120 ms on the loop's thread, in `call_bank`."""
import asyncio

import tenacity
from aiohttp import ClientSession, web

CALLS = 0


class Busy(Exception):
    pass


@tenacity.retry(wait=tenacity.wait_exponential(multiplier=0.04, max=0.3), stop=tenacity.stop_after_attempt(4), retry=tenacity.retry_if_exception_type(Busy))
def call_bank(amount):
    global CALLS
    CALLS += 1
    if CALLS % 3:
        raise Busy
    return amount


async def charge(request):
    paid = call_bank(int(request.match_info["amount"]))
    return web.json_response({"paid": paid})


async def status(request):
    await asyncio.sleep(0.003)
    return web.json_response({"up": True})


async def shopper(session, url, n):
    for k in range(3):
        async with session.post(f"{url}/charge/{n + k}") as answer:
            await answer.json()
        await asyncio.sleep(0.2)


async def monitor(session, url):
    for _ in range(60):
        async with session.get(f"{url}/status") as answer:
            await answer.json()
        await asyncio.sleep(0.02)


async def main():
    app = web.Application()
    app.add_routes([web.post("/charge/{amount}", charge), web.get("/status", status)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession() as session:
        await asyncio.gather(*(shopper(session, url, n) for n in range(3)), *(monitor(session, url) for _ in range(3)))
    await runner.cleanup()


asyncio.run(main())
