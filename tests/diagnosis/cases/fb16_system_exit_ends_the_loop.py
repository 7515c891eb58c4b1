"""A coroutine given to the loop of another thread raises SystemExit: the loop ends, the result never comes
(https://chishengliu.com/posts/run-coroutine-threadsafe-systemexit).
truth: main waits 1.5 s in Future.result for `load_plugin`, which raised SystemExit and ended `loop-thread`."""
import asyncio
import sys
import threading
import time


async def ping():
    await asyncio.sleep(0.01)


async def load_plugin(name):
    await asyncio.sleep(0.05)
    sys.exit(f"no plugin {name}")


def run_loop(loop):
    asyncio.set_event_loop(loop)
    loop.run_forever()


def ask(loop, coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(1.5)


def main():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=run_loop, args=(loop,), name="loop-thread")
    thread.start()
    for _ in range(3):
        ask(loop, ping())
    began = time.monotonic()
    try:
        ask(loop, load_plugin("audio"))
    except TimeoutError:
        print("truth", round(time.monotonic() - began, 2), "loop alive:", thread.is_alive())
    thread.join()


main()
