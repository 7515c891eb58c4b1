"""A `gevent.Timeout` ends a request between taking a client from a `Queue` and giving it back
(https://github.com/aio-libs/aiopg/issues/127 has such waits). Nobody had to wait before that.
truth: 3 clients are lost in `slow`; 6 greenlets wait 1.0 s in `borrow`, and give up.
"""
from gevent import monkey

monkey.patch_all()

import time

import gevent
from gevent.queue import Empty, Queue


class Clients:
    def __init__(self, n):
        self.free = Queue()
        for i in range(n):
            self.free.put(f"client-{i}")

    def borrow(self):
        return self.free.get(timeout=1.0)

    def give_back(self, client):
        self.free.put(client)


def call(client, secs):
    gevent.sleep(secs)
    return client


def request(clients, secs):
    client = clients.borrow()
    answer = call(client, secs)
    clients.give_back(client)
    return answer


def slow(clients):
    try:
        with gevent.Timeout(0.15):
            request(clients, 0.5)
    except gevent.Timeout:
        pass


def later(clients, out):
    t = time.monotonic()
    try:
        request(clients, 0.02)
        out.append("ok")
    except Empty:
        out.append(f"empty after {time.monotonic() - t:.2f}")


def main():
    clients, out = Clients(3), []
    gevent.joinall([gevent.spawn(request, clients, 0.02) for _ in range(3)])
    gevent.joinall([gevent.spawn(slow, clients) for _ in range(3)])
    gevent.joinall([gevent.spawn(later, clients, out) for _ in range(6)])
    print("truth", out)


main()
