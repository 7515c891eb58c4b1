"""HEALTHY: a DeferredLock is kept for 2 ms by each of many who come at their own pace; errors give it back."""
from twisted.internet import defer, reactor, task

lock = defer.DeferredLock()
saved = []


@defer.inlineCallbacks
def save(blob):
    yield lock.acquire()
    try:
        yield task.deferLater(reactor, 0.002, saved.append, blob)
        if blob % 9 == 0:
            raise OSError("disk full")
    finally:
        lock.release()


def start(blob):
    save(blob).addErrback(lambda failure: None)


for n in range(100):
    reactor.callLater(0.012 * n, start, n)
reactor.callLater(1.4, reactor.stop)
reactor.run()
