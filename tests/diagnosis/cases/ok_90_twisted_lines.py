"""Healthy: a twisted line server on its own reactor, 15 clients, a LoopingCall, some work in its thread pool."""
import hashlib

from twisted.internet import defer, protocol, reactor, task, threads
from twisted.protocols.basic import LineReceiver

OPEN = [15]


def digest(line):
    return hashlib.sha256(line * 2000).hexdigest().encode()


class Server(LineReceiver):
    async def answer(self, line):
        result = await threads.deferToThread(digest, line)
        self.sendLine(result)

    def lineReceived(self, line):
        defer.ensureDeferred(self.answer(line))


class Client(LineReceiver):
    left = 20

    def connectionMade(self):
        self.sendLine(b"hello")

    def lineReceived(self, line):
        self.left -= 1
        if self.left:
            reactor.callLater(0.04, self.sendLine, b"again")
            return
        self.transport.loseConnection()
        OPEN[0] -= 1
        if not OPEN[0]:
            reactor.stop()


server = protocol.ServerFactory.forProtocol(Server)
client = protocol.ClientFactory.forProtocol(Client)
port = reactor.listenTCP(0, server, interface="127.0.0.1")
for _ in range(15):
    reactor.connectTCP("127.0.0.1", port.getHost().port, client)
task.LoopingCall(lambda: len(OPEN)).start(0.1)
reactor.run()
