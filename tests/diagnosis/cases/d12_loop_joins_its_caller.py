"""The loop's thread joins a thread that waits for a coroutine on that loop (tschamm/boschshc-hass#297).
truth: MainThread is in Thread.join in `stop`; `listener` waits in Future.result in `on_event` for `device_id`."""
import asyncio
import threading


async def device_id():
    return 7


def on_event(loop):
    try:
        asyncio.run_coroutine_threadsafe(device_id(), loop).result(timeout=1.0)
    except TimeoutError:
        print("truth on_event gave up")


async def stop():
    listener = threading.Thread(target=on_event, args=(asyncio.get_running_loop(),), name="listener")
    listener.start()
    listener.join()


asyncio.run(stop())
