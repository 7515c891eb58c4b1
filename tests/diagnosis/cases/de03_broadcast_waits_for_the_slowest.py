"""After github.com/python-websockets/websockets (docs on broadcasting) and many chats: `gather` of all sends waits for the slowest.

Truth: `publish` gathers 10 sends; nine take 5 ms, that of `phone` 250 ms; 12 messages take 3 s, and those who wait for
the next message do so for the phone.
"""

import asyncio
import time


class Viewer:
    def __init__(self, name, delay):
        self.name, self.delay, self.got = name, delay, []

    async def send(self, message):
        await asyncio.sleep(self.delay)
        self.got.append((message, time.monotonic()))


class Hub:
    def __init__(self, viewers):
        self.viewers, self.queue = viewers, asyncio.Queue()

    async def publish(self):
        while (message := await self.queue.get()) is not None:
            await asyncio.gather(*(viewer.send(message[0]) for viewer in self.viewers))


async def main():
    viewers = [Viewer(f"desk-{n}", 0.005) for n in range(9)] + [Viewer("phone", 0.25)]
    hub = Hub(viewers)
    publisher = asyncio.create_task(hub.publish(), name="publisher")
    sent = {}
    for n in range(12):
        sent[n] = time.monotonic()
        hub.queue.put_nowait((n,))
        await asyncio.sleep(0.1)
    hub.queue.put_nowait(None)
    await publisher
    late = [at - sent[n] for n, at in viewers[0].got]
    print("truth desk-0 saw message 11", round(late[-1], 2), "s late")


asyncio.run(main())
