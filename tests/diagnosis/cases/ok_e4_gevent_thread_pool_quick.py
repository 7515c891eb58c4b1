"""HEALTHY: gevent serves lines and reads small files in its thread pool."""
import gevent
from gevent import socket
from gevent.server import StreamServer
from gevent.threadpool import ThreadPool

pool = ThreadPool(4)


def read_rules(n):
    with open("/etc/hostname") as f:
        return len(f.read()) + n


def handle(sock, address):
    f = sock.makefile("rwb")
    for line in f:
        f.write(b"%d\n" % pool.apply(read_rules, (len(line),)))
        f.flush()


def client(port, n):
    s = socket.create_connection(("127.0.0.1", port))
    f = s.makefile("rwb")
    for k in range(15):
        f.write(b"get %d\n" % k)
        f.flush()
        f.readline()
        gevent.sleep(0.05 + n * 0.003)
    s.close()


def janitor():
    while True:
        gevent.sleep(0.4)
        sum(range(5000))


server = StreamServer(("127.0.0.1", 0), handle)
server.start()
j = gevent.spawn(janitor)
gevent.joinall([gevent.spawn(client, server.server_port, n) for n in range(12)])
j.kill()
server.stop()
