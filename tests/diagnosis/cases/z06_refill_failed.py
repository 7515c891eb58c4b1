"""A token bucket is refilled by a task that fails once.
truth: the task `refill` failed (ZeroDivisionError) after 0.6 s, so nobody releases permits of `bucket`; the
`sender-*` tasks wait in `take` to the end."""
import asyncio


class TokenBucket:
    def __init__(self, rate):
        self.rate, self.tokens = rate, asyncio.Semaphore(rate)
        self.used = 0
        self.task = asyncio.create_task(self.refill(), name="refill")

    async def refill(self):
        rounds = 0
        while True:
            await asyncio.sleep(0.1)
            rounds += 1
            share = self.used // (6 - rounds)
            self.used = 0
            for _ in range(max(self.rate, share)):
                self.tokens.release()

    async def take(self):
        await self.tokens.acquire()
        self.used += 1


async def sender(bucket, n, sent):
    while True:
        await bucket.take()
        await asyncio.sleep(0.01)
        sent.append(n)


async def monitor(sent):
    while True:
        await asyncio.sleep(0.2)
        print("sent", len(sent))


async def main():
    sent = []
    bucket = TokenBucket(8)
    tasks = [asyncio.create_task(sender(bucket, n, sent), name=f"sender-{n}") for n in range(5)]
    tasks.append(asyncio.create_task(monitor(sent)))
    await asyncio.wait(tasks, timeout=2.5)
    for t in tasks:
        t.cancel()


asyncio.run(main())
