"""After github.com/agronholm/anyio/issues/837: a shielded cleanup waits for ever.

Truth: the 0.2 s of `move_on_after` end the work, then each job sits in `goodbye`, shielded, for
an answer that the peer never gives: the time-out does not end it.
"""

import anyio


class Peer:
    def __init__(self):
        self.answered = anyio.Event()

    async def work(self):
        await anyio.sleep(5)

    async def goodbye(self):
        await self.answered.wait()


async def job(peer):
    with anyio.move_on_after(0.2):
        try:
            await peer.work()
        finally:
            with anyio.CancelScope(shield=True):
                await peer.goodbye()


async def main():
    peers = [Peer() for _ in range(6)]
    async with anyio.create_task_group() as group:
        for peer in peers:
            group.start_soon(job, peer)
        await anyio.sleep(2.5)
        for peer in peers:
            peer.answered.set()


anyio.run(main)
