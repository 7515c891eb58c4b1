"""Requests in greenlets go one after the other: the library has taken its sockets before the patch
(http://saurabh-hirani.github.io/slides/decks/grequests-https-talk/main.html).
truth: `fetch` blocks the hub in recv 10 times for 120 ms; `progress` is late each time."""
from socket import socket

from gevent import monkey

monkey.patch_all()

import subprocess
import sys
import time

import gevent

SERVER = """
import socketserver, time
class Slow(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.readline(); time.sleep(0.12); self.wfile.write(b"ok\\n")
socketserver.ThreadingTCPServer.request_queue_size = 20
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Slow) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
"""
late = []


def fetch(port, number):
    with socket() as connection:
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"%d\n" % number)
        return connection.recv(100)


def progress():
    while True:
        began = time.monotonic()
        gevent.sleep(0.02)
        late.append(time.monotonic() - began - 0.02)


def main():
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
    port = int(server.stdout.readline())
    bar = gevent.spawn(progress)
    gevent.sleep(0.03)
    began = time.monotonic()
    gevent.joinall([gevent.spawn(fetch, port, n) for n in range(10)])
    print("truth", round(time.monotonic() - began, 2), round(max(late), 2))
    gevent.sleep(0.05)
    bar.kill()
    server.kill()
    server.wait()


main()
