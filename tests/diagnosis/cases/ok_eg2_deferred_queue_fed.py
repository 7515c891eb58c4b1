"""As eg02, with a producer that leaves a bad line out. Healthy: the consumers are as idle as
the lines are slow."""
from twisted.internet import defer, reactor, task

queue = defer.DeferredQueue()
taken = []


@defer.inlineCallbacks
def produce(lines):
    for line in lines:
        yield task.deferLater(reactor, 0.05)
        if line.isdecimal():
            queue.put(int(line))


@defer.inlineCallbacks
def consume():
    while True:
        number = yield queue.get()
        if not number:
            return
        taken.append(number)
        yield task.deferLater(reactor, 0.01)


@defer.inlineCallbacks
def main():
    consumers = [consume() for _ in range(3)]
    yield produce(["1", "2", "3", "-", "5"] * 5)
    for _ in consumers:
        queue.put(0)
    yield defer.gatherResults(consumers)
    reactor.stop()


reactor.callWhenRunning(main)
reactor.run()
print("truth taken", taken)
