"""A coroutine of FastAPI puts into a full queue of multiprocessing, and the server stands
(https://blog.tsugumisys.com/posts/20260313-5IuWS.html).
truth: `transcribe` blocks the loop 1.5 s in JoinableQueue.put, while `drain_queue` pauses; `/health` waits as long."""
import asyncio
import threading
import time
from multiprocessing import JoinableQueue

import httpx
from fastapi import FastAPI

app = FastAPI()
tasks = JoinableQueue(maxsize=1)
may_run = threading.Event()


def drain_queue():
    while may_run.wait() and tasks.get() is not None:
        time.sleep(0.02)
        tasks.task_done()


@app.get("/transcribe/{number}")
async def transcribe(number: int):
    tasks.put(number)
    return {"queued": number}


@app.get("/health")
async def health():
    return {"up": True}


async def main():
    worker = threading.Thread(target=drain_queue, name="drain", daemon=True)
    worker.start()
    threading.Timer(1.6, may_run.set).start()
    transport, late = httpx.ASGITransport(app), []
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:

        async def watch():
            for _ in range(10):
                began = time.monotonic()
                await asyncio.sleep(0.02)
                await client.get("/health")
                late.append(time.monotonic() - began - 0.02)

        await asyncio.gather(watch(), *(client.get(f"/transcribe/{n}") for n in range(3)))
    tasks.put(None)
    worker.join()
    print("truth", round(max(late), 2))


asyncio.run(main())
