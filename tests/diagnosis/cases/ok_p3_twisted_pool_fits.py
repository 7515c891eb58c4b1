"""Healthy: Twisted's pool has a thread for each job."""
import time

from twisted.internet import defer, reactor, task
from twisted.internet.threads import deferToThread


def render(page):
    time.sleep(0.05)


@defer.inlineCallbacks
def main():
    for _ in range(10):
        yield defer.gatherResults([deferToThread(render, page) for page in range(4)])
        yield task.deferLater(reactor, 0.1, lambda: None)
    reactor.stop()


reactor.callWhenRunning(main)
reactor.run()
