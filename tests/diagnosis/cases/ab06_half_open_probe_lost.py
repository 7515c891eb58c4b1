"""A circuit breaker lets one probe through; the probe is cancelled, and the breaker stays half-open
(after questions about circuit breakers of asyncio).
truth: the `probe` call is cancelled at 0.1 s; 5 `call` wait in `Breaker.enter` for its event to the end, 1.2 s."""
import asyncio


class Breaker:
    def __init__(self):
        self.probing = None

    async def enter(self):
        if self.probing is not None:
            await self.probing.wait()
        else:
            self.probing = asyncio.Event()

    def leave(self):
        self.probing.set()
        self.probing = None


async def call(breaker, seconds):
    await breaker.enter()
    await asyncio.sleep(seconds)
    breaker.leave()


async def main():
    breaker = Breaker()
    probe = asyncio.create_task(call(breaker, 5))
    await asyncio.sleep(0.02)
    calls = [asyncio.create_task(call(breaker, 0.01)) for _ in range(5)]
    await asyncio.sleep(0.1)
    probe.cancel()
    done, pending = await asyncio.wait(calls, timeout=1.2)
    print("truth waiting", len(pending))


asyncio.run(main())
