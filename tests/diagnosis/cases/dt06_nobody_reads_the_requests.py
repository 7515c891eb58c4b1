"""Callers hand requests to the connection's thread through a socket pair; that thread has given up, and nobody reads
(https://github.com/python-zk/kazoo/issues/577).
truth: `MainThread` stands in `sendall` in `Client.call` for 2.5 s, which took next to nothing before.
"""

import socket
import threading
import time

SIZE = 1_000_000


class Client:
    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.ours.settimeout(2.5)
        threading.Thread(target=self.run, name="connection", daemon=True).start()

    def run(self) -> None:
        for _ in range(3):  # attempts to connect
            for _ in range(20):
                self.theirs.recv(SIZE, socket.MSG_WAITALL)
        while True:
            time.sleep(0.5)

    def call(self, request: bytes) -> None:
        self.ours.sendall(request)


client = Client()
calls = 0
try:
    while True:
        client.call(b"x" * SIZE)
        calls += 1
        time.sleep(0.002)
except TimeoutError:
    print("stuck after", calls)
