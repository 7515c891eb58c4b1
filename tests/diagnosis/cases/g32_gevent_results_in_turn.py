"""One greenlet owns the connection to the mail server: each request waits for its AsyncResult
behind the mails before.

After https://github.com/pricingassistant/mrq/issues/224
"""
import gevent
from gevent.event import AsyncResult
from gevent.queue import Queue

mails = Queue()


def mailer():
    while (sent := mails.get()) is not None:
        gevent.sleep(0.12)
        sent.set(True)


def request(n):
    gevent.sleep(n * 0.05)
    sent = AsyncResult()
    mails.put(sent)
    sent.get()


owner = gevent.spawn(mailer)
gevent.joinall([gevent.spawn(request, n) for n in range(14)])
mails.put(None)
owner.join()
