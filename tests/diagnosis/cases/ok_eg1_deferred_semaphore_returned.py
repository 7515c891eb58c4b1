"""As eg01, with `async with`: a failed download gives its token back. Healthy: some wait for
20 ms."""
import asyncio

from twisted.internet import asyncioreactor

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
asyncioreactor.install(loop)

from twisted.internet import defer, reactor, task  # noqa: E402

tokens = defer.DeferredSemaphore(2)
done = []


async def download(page):
    await task.deferLater(reactor, 0.05 * (page // 3))
    async with tokens:
        await task.deferLater(reactor, 0.02)
        if page in (1, 3):
            raise TimeoutError(f"page {page}")
        done.append(page)


def started(page):
    defer.ensureDeferred(download(page)).addErrback(lambda failure: None)


for page in range(24):
    reactor.callWhenRunning(started, page)
reactor.callLater(1.2, reactor.stop)
reactor.run()
print("truth done", done)
