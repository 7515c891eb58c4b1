"""Callers wait for the answer of a worker that failed before it set their events
(the same on asyncio as https://github.com/gevent/gevent/issues/1957).
truth: 4 tasks wait 1.2 s for an Event each in `ask` in vain; `worker` ended with an exception before."""
import asyncio


class Request:
    def __init__(self):
        self.done = asyncio.Event()


async def worker(requests):
    await asyncio.sleep(0.05)
    for request in requests:
        raise RuntimeError("no backend")


async def ask(request):
    try:
        async with asyncio.timeout(1.2):
            await request.done.wait()
    except TimeoutError:
        return None


async def main():
    requests = [Request() for _ in range(4)]
    failed = asyncio.create_task(worker(requests))
    await asyncio.gather(*(ask(request) for request in requests))
    print("truth", failed.exception())


asyncio.run(main())
