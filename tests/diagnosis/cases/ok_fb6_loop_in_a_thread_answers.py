"""CLEAN: threads ask the loop of another thread, which answers soon, and is stopped at the end."""
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor


async def lookup(key):
    await asyncio.sleep(0.02)
    return key * 2


def run_loop(loop):
    asyncio.set_event_loop(loop)
    loop.run_forever()
    loop.close()


def ask(loop, key):
    return asyncio.run_coroutine_threadsafe(lookup(key), loop).result(1.5)


def main():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=run_loop, args=(loop,), name="loop-thread")
    thread.start()
    with ThreadPoolExecutor(3) as pool:
        print(sum(pool.map(lambda key: ask(loop, key), range(60))))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


main()
