"""A barrier of events makes a new event for each round; who waits for the old one is not woken
(after reports of `asyncio.Event` that is replaced instead of cleared).
truth: 6 `follower` wait 1.3 s in Event.wait in vain; `publish` sets an event that nobody waits for."""
import asyncio


class Feed:
    def __init__(self):
        self.changed = asyncio.Event()
        self.version = 0

    async def next_version(self):
        await self.changed.wait()
        return self.version

    def publish(self):
        self.changed = asyncio.Event()
        self.version += 1
        self.changed.set()


async def follower(feed):
    try:
        return await asyncio.wait_for(feed.next_version(), 1.3)
    except TimeoutError:
        return None


async def publisher(feed):
    for _ in range(5):
        await asyncio.sleep(0.2)
        feed.publish()


async def main():
    feed = Feed()
    results = await asyncio.gather(publisher(feed), *(follower(feed) for _ in range(6)))
    print("truth", results.count(None) - 1, "followers saw nothing")


asyncio.run(main())
