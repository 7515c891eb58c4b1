"""A trio task owns the printer: all others hand it a page and an event, and wait while it prints
one page after the other.

After https://github.com/esphome/device-builder/pull/1046
"""
import trio


async def printer(pages):
    async for done in pages:
        await trio.sleep(0.13)
        done.set()


async def request(send, n):
    await trio.sleep(n * 0.06)
    done = trio.Event()
    await send.send(done)
    await done.wait()


async def main():
    send, receive = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(printer, receive)
        async with trio.open_nursery() as inner:
            for n in range(14):
                inner.start_soon(request, send, n)
        send.close()


trio.run(main)
