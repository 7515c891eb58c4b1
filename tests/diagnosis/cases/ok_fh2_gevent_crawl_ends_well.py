"""Healthy: a gevent pool that crawls a local server, a queue with sentinels, an orderly stop."""

from gevent import monkey

monkey.patch_all()

import random
import socket

import gevent
from gevent.pool import Pool
from gevent.queue import Queue
from gevent.server import StreamServer


def serve(sock, address):
    sock.recv(100)
    gevent.sleep(random.uniform(0.005, 0.02))
    sock.sendall(b"page")
    sock.close()


server = StreamServer(("127.0.0.1", 0), serve, backlog=100)
server.start()
pages = Queue()


def fetch(number):
    with socket.create_connection(("127.0.0.1", server.server_port)) as sock:
        sock.sendall(b"get")
        pages.put(sock.recv(100))


def store():
    count = 0
    while pages.get() is not None:
        count += 1
    return count


writer = gevent.spawn(store)
pool = Pool(20)
for n in range(200):
    pool.spawn(fetch, n)
pool.join()
pages.put(None)
print(writer.get())
server.stop()
