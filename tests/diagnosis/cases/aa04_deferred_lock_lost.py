"""A DeferredLock is given back in a callback only, so that an error keeps it
(after https://github.com/lbryio/lbry-sdk/pull/939).
truth: `save` of blob 1 failed with the lock; 5 others wait for it (acquire in `save`) to the end, 1.2 s."""
from twisted.internet import defer, reactor, task

lock = defer.DeferredLock()
saved = []


def write(blob):
    if blob == 1:
        raise OSError("disk full")
    return task.deferLater(reactor, 0.02, saved.append, blob)


@defer.inlineCallbacks
def save(blob):
    yield lock.acquire()
    yield write(blob)
    lock.release()


def start(blob):
    save(blob).addErrback(lambda failure: None)


for n in range(7):
    reactor.callLater(0.03 * n, start, n)
reactor.callLater(1.4, reactor.stop)
reactor.run()
print("truth saved", saved)
