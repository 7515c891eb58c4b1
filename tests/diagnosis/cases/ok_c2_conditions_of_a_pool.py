"""HEALTHY: a home-made pool under a condition that fits; takers hardly wait, and whoever times out
gives its browser back."""
import asyncio
import random

dice = random.Random(8)


class Browsers:
    def __init__(self, count):
        self.free, self.changed = [f"browser-{n}" for n in range(count)], asyncio.Condition()

    async def __aenter__(self):
        async with self.changed:
            await self.changed.wait_for(lambda: self.free)
            return self.free.pop()

    async def give(self, browser):
        async with self.changed:
            self.free.append(browser)
            self.changed.notify()

    async def __aexit__(self, *error):
        pass


async def render(browsers, page):
    browser = await browsers.__aenter__()
    try:
        async with asyncio.timeout(0.05):
            await asyncio.sleep(0.2 if dice.random() < 0.03 else 0.008)
    except TimeoutError:
        return None
    finally:
        await browsers.give(browser)
    return page


async def main():
    browsers, done = Browsers(4), []
    for _ in range(30):
        done += await asyncio.gather(*(render(browsers, n) for n in range(5)))
        await asyncio.sleep(0.01)
    print(len(done))


asyncio.run(main())
