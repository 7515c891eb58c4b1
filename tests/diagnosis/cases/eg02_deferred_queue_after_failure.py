"""Whoever fills a DeferredQueue has failed, and those who take from it wait for ever.
truth: `produce` fails (ValueError) with its fourth item, at 0.2 s; 3 `consume` wait in
`get` (line 20) to the end, 1.2 s each."""
from twisted.internet import defer, reactor, task

queue = defer.DeferredQueue()
taken = []


@defer.inlineCallbacks
def produce(lines):
    for line in lines:
        yield task.deferLater(reactor, 0.05)
        queue.put(int(line))


@defer.inlineCallbacks
def consume():
    while True:
        number = yield queue.get()
        taken.append(number)
        yield task.deferLater(reactor, 0.01)


for _ in range(3):
    consume().addErrback(lambda failure: None)
produce(["1", "2", "3", "-", "5"]).addErrback(lambda failure: None)
reactor.callLater(1.4, reactor.stop)
reactor.run()
print("truth taken", taken)
