"""Tasks take a token and then call into a thread that needs another one
(https://github.com/python-trio/trio-asyncio/issues/143).
truth: 3 `convert` have all 3 tokens and wait for a second one for 1.2 s."""
import trio


def resize():
    pass


async def convert(limiter):
    async with limiter:
        await trio.sleep(0.02)
        await trio.to_thread.run_sync(resize, limiter=limiter)


async def main():
    limiter = trio.CapacityLimiter(3)
    with trio.move_on_after(1.2) as scope:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(convert, limiter)
    print("truth: stuck", scope.cancelled_caught)


trio.run(main)
