"""A library's socket is not patched, so a greenlet blocks all others while it waits
(https://github.com/gevent/gevent/issues/743).
truth: `call_payment` blocks the hub 5 times for 150 ms in `recv`; 8 greenlets `tick` are late."""
import socket
import subprocess
import sys

import gevent

SERVER = """
import socket, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    if not connection.recv(10): break
    time.sleep(0.15)
    connection.sendall(b"paid")
    connection.close()
"""
process = subprocess.Popen([sys.executable, "-I", "-S", "-c", SERVER], stdout=subprocess.PIPE)
port = int(process.stdout.readline())


def call_payment():
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"pay")
        return connection.recv(10)


def checkout():
    for _ in range(5):
        call_payment()
        gevent.sleep(0.03)


def tick():
    for _ in range(60):
        gevent.sleep(0.01)


gevent.joinall([gevent.spawn(checkout), *(gevent.spawn(tick) for _ in range(8))])
process.kill()
process.wait()
