"""HEALTHY: gevent: 20 greenlets talk to a server of the same process."""
from gevent import monkey

monkey.patch_all()
import socket

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer


def answer(connection, address):
    for line in connection.makefile("rb"):
        gevent.sleep(0.005)
        connection.sendall(line)


def crawl(n):
    with socket.create_connection(("127.0.0.1", server.server_port)) as connection:
        reader = connection.makefile("rb")
        for i in range(20):
            connection.sendall(b"page %d\n" % i)
            reader.readline()


server = StreamServer(("127.0.0.1", 0), answer)
server.start()
pool = Pool(20)
pool.map(crawl, range(20))
server.stop()
