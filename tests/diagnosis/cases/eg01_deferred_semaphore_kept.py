"""A download that times out keeps its token of a DeferredSemaphore, on Twisted's reactor for
asyncio: the release stands behind the `await`.
truth: downloads 1 and 3 failed with the two tokens; 6 others wait for one (acquire in
`download`, line 21) to the end, 0.9 to 1.2 s each. Nobody waited before that."""
import asyncio

from twisted.internet import asyncioreactor

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
asyncioreactor.install(loop)

from twisted.internet import defer, reactor, task  # noqa: E402

tokens = defer.DeferredSemaphore(2)
done = []


async def download(page):
    await task.deferLater(reactor, 0.05 * page)
    await tokens.acquire()
    await task.deferLater(reactor, 0.02)
    if page in (1, 3):
        raise TimeoutError(f"page {page}")
    done.append(page)
    tokens.release()


def started(page):
    defer.ensureDeferred(download(page)).addErrback(lambda failure: None)


for page in range(10):
    reactor.callWhenRunning(started, page)
reactor.callLater(1.4, reactor.stop)
reactor.run()
print("truth done", done)
