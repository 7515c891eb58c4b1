"""A coroutine takes items of a thread from a queue.Queue, with a time-out.
truth: `forward` blocks the loop 100 ms at a time in Queue.get."""
import asyncio
import queue
import random
import threading
import time

from aiohttp import ClientSession, web

READINGS, LATEST = queue.Queue(), {}


def sensor(stop):
    n = 0
    while not stop.is_set():
        time.sleep(random.uniform(0.05, 0.25))
        READINGS.put((n % 5, random.random()))
        n += 1


async def forward():
    while True:
        try:
            name, value = READINGS.get(timeout=0.1)
        except queue.Empty:
            await asyncio.sleep(0.01)
            continue
        LATEST[name] = value
        await asyncio.sleep(0.01)


async def latest(request):
    await asyncio.sleep(0.001)
    return web.json_response(LATEST)


async def browser(session, url):
    for _ in range(20):
        async with session.get(url) as answer:
            await answer.json()
        await asyncio.sleep(0.02)


async def main():
    stop = threading.Event()
    thread = threading.Thread(target=sensor, args=(stop,), name="sensor")
    thread.start()
    app = web.Application()
    app.router.add_get("/", latest)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    task = asyncio.create_task(forward())
    async with ClientSession() as session:
        await asyncio.gather(*(browser(session, url) for _ in range(5)))
    task.cancel()
    stop.set()
    thread.join()
    await runner.cleanup()


asyncio.run(main())
