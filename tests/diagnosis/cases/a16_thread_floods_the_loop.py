"""A feed thread hands each tick to the loop with call_soon_threadsafe, faster than the loop serves
(https://github.com/python/cpython/issues/119105).
wanted: thread `feed` handed 30,000 `on_tick` callbacks to the loop, busy with it ~95 %; `health` late up to 0.5 s"""
import asyncio, hashlib, threading, time

PAGE = bytes(60_000)


def on_tick(tick, book):
    book[tick % 50] = hashlib.sha256(PAGE).digest()  # without the GIL: `feed` goes on


def feed(loop, book, done):
    for n in range(30000):
        loop.call_soon_threadsafe(on_tick, n, book)
        if n % 3000 == 0: time.sleep(0.02)
    loop.call_soon_threadsafe(done.set)


async def health(late):
    while True:
        t = time.monotonic()
        await asyncio.sleep(0.05)
        late.append(time.monotonic() - t - 0.05)


async def main():
    late = []; done = asyncio.Event(); book = {}
    h = asyncio.create_task(health(late))
    await asyncio.sleep(0.1)
    threading.Thread(target=feed, args=(asyncio.get_running_loop(), book, done), name="feed").start()
    await done.wait()
    h.cancel()
    print("truth", max(late))

asyncio.run(main())
