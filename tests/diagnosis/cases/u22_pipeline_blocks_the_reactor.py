"""twisted on the asyncio reactor (scrapy's default): an item pipeline blocks the reactor
(https://github.com/scrapy/scrapy/issues and docs: "do not block the reactor in pipelines").
truth: `store_item` sleeps 60 ms (a database without async client) for each of 12 items on the reactor's thread;
10 other connections wait."""
from twisted.internet import asyncioreactor

asyncioreactor.install()

import time  # noqa: E402

from twisted.internet import protocol, reactor, task  # noqa: E402
from twisted.protocols.basic import LineReceiver  # noqa: E402

OPEN = [10]


def store_item(item):
    time.sleep(0.06)


class Feed(LineReceiver):
    def lineReceived(self, line):
        if line.endswith(b"item"):
            store_item(line)
        self.sendLine(b"ok")


class Spider(LineReceiver):
    left = 25

    def __init__(self, n):
        self.n = n

    def connectionMade(self):
        self.sendLine(b"hello")

    def lineReceived(self, line):
        self.left -= 1
        if self.left:
            kind = b"item" if self.n == 3 and self.left % 2 else b"page"
            reactor.callLater(0.02, self.sendLine, kind)
            return
        self.transport.loseConnection()
        OPEN[0] -= 1
        if not OPEN[0]:
            reactor.stop()


class Spiders(protocol.ClientFactory):
    made = 0

    def buildProtocol(self, address):
        Spiders.made += 1
        return Spider(Spiders.made)


port = reactor.listenTCP(0, protocol.ServerFactory.forProtocol(Feed), interface="127.0.0.1")
for _ in range(10):
    reactor.connectTCP("127.0.0.1", port.getHost().port, Spiders())
task.LoopingCall(lambda: len(OPEN)).start(0.05)
reactor.run()
