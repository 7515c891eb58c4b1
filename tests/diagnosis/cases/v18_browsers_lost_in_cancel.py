"""A home-made pool of browsers lends them under a condition; a page that times out keeps its browser
(https://github.com/ydb-platform/ydb-python-sdk/pull/537: a session is lost in a cancel).
truth: 2 of 2 browsers were taken by `render` that were cancelled in `shoot`; then `render` waits 0.7 s in
`Condition.wait` of `take` and fails."""
import asyncio


class Browsers:
    def __init__(self, count):
        self.free, self.changed = [f"browser-{n}" for n in range(count)], asyncio.Condition()

    async def take(self):
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(lambda: self.free), 0.7)
            return self.free.pop()

    async def give(self, browser):
        async with self.changed:
            self.free.append(browser)
            self.changed.notify()


async def shoot(browser, page):
    await asyncio.sleep(5 if page % 10 == 9 else 0.01)
    return page


async def render(browsers, page):
    browser = await browsers.take()
    result = await asyncio.wait_for(shoot(browser, page), 0.1)
    await browsers.give(browser)
    return result


async def visitor(browsers, page, failed):
    try:
        await render(browsers, page)
    except TimeoutError:
        failed.append(page)


async def main():
    browsers, failed = Browsers(2), []
    async with asyncio.TaskGroup() as group:
        for page in range(28):
            group.create_task(visitor(browsers, page, failed))
            await asyncio.sleep(0.02)
    print("truth", failed)


asyncio.run(main())
