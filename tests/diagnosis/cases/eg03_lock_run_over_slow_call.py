"""`lock.run` keeps a DeferredLock while a slow answer is awaited, and all others stand behind.
truth: each of 8 `store` has the lock for 150 ms (`lock.run` in `store`, awaiting `upload`); the
last one waits 1.05 s, all together 4.2 s."""
from twisted.internet import defer, reactor, task

lock = defer.DeferredLock()
stored = []


@defer.inlineCallbacks
def upload(name):
    yield task.deferLater(reactor, 0.15)
    stored.append(name)


@defer.inlineCallbacks
def store(name):
    yield lock.run(upload, name)


@defer.inlineCallbacks
def main():
    yield defer.gatherResults([store(n) for n in range(8)])
    reactor.stop()


reactor.callWhenRunning(main)
reactor.run()
print("truth stored", stored)
