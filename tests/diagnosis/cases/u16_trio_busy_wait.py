"""trio: a task that waits with sleep(0) (https://github.com/python-trio/trio/issues/672).
truth: `until_ready` passes the loop 10,000s of times within 1.2 s."""
import trio


class Device:
    ready = False


async def until_ready(device):
    while not device.ready:
        await trio.sleep(0)


async def start(device):
    await trio.sleep(1.2)
    device.ready = True


async def main():
    device = Device()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(until_ready, device)
        nursery.start_soon(start, device)


trio.run(main)
