"""A cancellation inside the handler of events ends the consumer, and `Queue.join` waits for items
that nobody marks any more (openai/openai-agents-python#4199).

`event-consumer` is cancelled in `on_event` after about 0.15 s; `run-tool` then waits in
`queue.join()` for 1.2 s, until `main` gives up.
"""

import asyncio, time

class Handler:
    async def on_event(self, ev):
        if ev == 4: raise asyncio.CancelledError("inner scope was cancelled")
        await asyncio.sleep(0.02)

async def dispatch(queue, handler):
    while True:
        ev = await queue.get()
        if ev is None: return
        try:
            await handler.on_event(ev)
        except Exception as e:
            print("handler failed", e)
        finally:
            queue.task_done()

async def run_tool(queue):
    for i in range(12):
        queue.put_nowait(i); await asyncio.sleep(0.005)
    queue.put_nowait(None)
    t = time.perf_counter()
    try: await queue.join()
    finally: print(f"truth join {time.perf_counter()-t:.2f} s")

async def healthy():
    q = asyncio.Queue()
    w = asyncio.create_task(dispatch(q, Handler()), name="metrics-consumer")
    for i in range(30):
        q.put_nowait(100 + i); await asyncio.sleep(0.04)
    await q.join(); w.cancel()

async def main():
    h = asyncio.create_task(healthy(), name="metrics"); q = asyncio.Queue()
    c = asyncio.create_task(dispatch(q, Handler()), name="event-consumer")
    try: await asyncio.wait_for(asyncio.create_task(run_tool(q), name="run-tool"), 1.3)
    except TimeoutError: print("truth timed out; consumer done:", c.done())
    await h

asyncio.run(main())
