"""Requests wait for a future that the reader of answers forgets when it gets an unknown id
(after reports of clients of message queues whose calls never return).
truth: 4 of 12 `call` wait in vain 1.2 s for the future of their id; `dispatch` dropped the answers."""
import asyncio

waiting = {}


async def call(number, outgoing):
    future = asyncio.get_running_loop().create_future()
    waiting[number] = future
    await outgoing.put(number)
    try:
        return await asyncio.wait_for(future, 1.2)
    except TimeoutError:
        return None


async def dispatch(outgoing):
    while True:
        number = await outgoing.get()
        await asyncio.sleep(0.01)
        if number % 3 == 1:
            number = -number  # a broken header
        if number in waiting:
            waiting.pop(number).set_result("ok")


async def main():
    outgoing = asyncio.Queue()
    reader = asyncio.create_task(dispatch(outgoing))
    answers = await asyncio.gather(*(call(number, outgoing) for number in range(12)))
    print("truth", answers.count(None), "got no answer")
    reader.cancel()


asyncio.run(main())
