"""Six producers send through a channel of size 0 to one receiver that stores 40 ms in a thread
(https://github.com/python-trio/trio/issues/1626).
wanted: 6 `scrape` tasks waited in send for the one receiver `store` which takes 40 ms per item in to_thread `write_row`"""
import time, trio


def write_row(row):
    time.sleep(0.04)


async def store(receive):
    async for row in receive:
        await trio.to_thread.run_sync(write_row, row)


async def scrape(send, i):
    async with send:
        for n in range(8):
            await trio.sleep(0.01)
            await send.send((i, n))


async def main():
    send, receive = trio.open_memory_channel(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store, receive)
        async with send:
            for i in range(6):
                nursery.start_soon(scrape, send.clone(), i)

t = time.monotonic()
trio.run(main)
print("truth", time.monotonic() - t)
