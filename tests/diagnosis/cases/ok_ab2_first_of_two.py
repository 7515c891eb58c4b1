"""HEALTHY: each round waits for an item or a tick; the `get` is kept for the next round, and what loses is cancelled."""
import asyncio


async def consume(queue, stop):
    get, handled = None, 0
    while not stop.is_set() or not queue.empty():
        get = get or asyncio.create_task(queue.get())
        tick = asyncio.create_task(asyncio.sleep(0.05))
        done, _ = await asyncio.wait({get, tick}, return_when=asyncio.FIRST_COMPLETED)
        if get in done:
            get.result().set_result(True)
            get, handled = None, handled + 1
        tick.cancel()
    if get:
        get.cancel()
    return handled


async def order(queue, number):
    await asyncio.sleep(0.04 * number)
    answer = asyncio.get_running_loop().create_future()
    queue.put_nowait(answer)
    return await asyncio.wait_for(answer, 1.0)


async def main():
    queue, stop = asyncio.Queue(), asyncio.Event()
    consumer = asyncio.create_task(consume(queue, stop))
    await asyncio.gather(*(order(queue, n) for n in range(1, 33)))
    stop.set()
    print("truth", await consumer)


asyncio.run(main())
