"""HEALTHY: a forwarder makes a task for each next message and waits for it or for the future that ends the service; for two seconds none comes."""
import asyncio


async def forward(messages):
    return await messages.get()


async def serve(messages, ended):
    count = 0
    while True:
        task = asyncio.ensure_future(forward(messages))
        done, _ = await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended in done:
            task.cancel()
            return count
        count += 1


async def main():
    messages = asyncio.Queue()
    ended = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(messages, ended))
    for number in range(12):
        await messages.put(number)
        await asyncio.sleep(0.08)
    await asyncio.sleep(2)
    await messages.put(12)
    await asyncio.sleep(0.05)
    ended.set_result(None)
    print(await serving)


asyncio.run(main())
