"""All threads of Twisted's pool render; the look-ups of names stand behind them, and nothing
tells (https://github.com/twisted/twisted/issues/5359).
truth: 2 threads are asleep in `render`, 0.3 s each; 8 calls of `look_up` wait up to 1.2 s."""
import time

from twisted.internet import defer, reactor
from twisted.internet.threads import deferToThread


def render(page):
    time.sleep(0.3)


def look_up(name):
    return name


@defer.inlineCallbacks
def main():
    began = time.monotonic()
    pages = [deferToThread(render, page) for page in range(8)]
    yield defer.gatherResults([deferToThread(look_up, name) for name in range(8)])
    print("truth: look-ups waited", time.monotonic() - began)
    yield defer.gatherResults(pages)
    reactor.stop()


reactor.suggestThreadPoolSize(2)
reactor.callWhenRunning(main)
reactor.run()
