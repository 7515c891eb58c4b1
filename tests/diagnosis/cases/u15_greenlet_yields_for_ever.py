"""A greenlet looks for its answer with gevent.sleep(0) (https://github.com/gevent/gevent/issues/1777 and others:
100 % CPU). truth: `wait_for_reply` passes the hub 10,000s of times in 1.2 s, until a reply comes 6 times."""
import gevent

REPLIES = []


def wait_for_reply():
    while not REPLIES:
        gevent.sleep(0)
    return REPLIES.pop()


def client():
    for _ in range(6):
        wait_for_reply()


def server():
    for n in range(6):
        gevent.sleep(0.2)
        REPLIES.append(n)


gevent.joinall([gevent.spawn(client), gevent.spawn(server)])
