"""Each message starts a timer of ten minutes that nobody cancels when the answer has come
(https://github.com/ArchiveTeam/wpull/issues/166).
truth: 3,000 timers of `expire`, started in `Session.send`, wait at the end; none was cancelled."""
import asyncio


class Session:
    def __init__(self):
        self.pending = {}

    async def send(self, number):
        loop = asyncio.get_running_loop()
        self.pending[number] = loop.call_later(600, self.expire, number)
        await asyncio.sleep(0.001)  # the answer
        self.pending.pop(number)

    def expire(self, number):
        self.pending.pop(number, None)


async def main():
    session = Session()
    for batch in range(150):
        await asyncio.gather(*(session.send(batch * 20 + n) for n in range(20)))
        await asyncio.sleep(0.008)
    print("truth", len(asyncio.get_running_loop()._scheduled), "timers")


asyncio.run(main())
