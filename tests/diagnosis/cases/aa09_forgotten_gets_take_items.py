"""Each round waits for an item or a tick, and forgets the `get` that lost: it takes an item later
(https://github.com/frequenz-floss/frequenz-channels-python/pull/334).
truth: `consume` leaves a pending Queue.get in each round that a tick won; those took all 12 items,
`consume` waits for nothing while 12 `order` wait 1 s and more for their answers."""
import asyncio


async def consume(queue, stop):
    while not stop.is_set():
        get = asyncio.create_task(queue.get())
        tick = asyncio.create_task(asyncio.sleep(0.05))
        done, _ = await asyncio.wait({get, tick}, return_when=asyncio.FIRST_COMPLETED)
        if get in done:
            number, answer = get.result()
            answer.set_result(number)


async def order(queue, number):
    await asyncio.sleep(0.12 * number)
    answer = asyncio.get_running_loop().create_future()
    queue.put_nowait((number, answer))
    try:
        return await asyncio.wait_for(answer, 1.0)
    except TimeoutError:
        return None


async def main():
    queue, stop = asyncio.Queue(), asyncio.Event()
    consumer = asyncio.create_task(consume(queue, stop))
    answers = await asyncio.gather(*(order(queue, n) for n in range(1, 13)))
    print("truth lost", answers.count(None))
    stop.set()
    await consumer


asyncio.run(main())
