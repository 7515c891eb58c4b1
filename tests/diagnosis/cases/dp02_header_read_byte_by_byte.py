"""A client reads each line of an answer byte by byte with recv(1) (https://github.com/vertica/vertica-python/issues/397).
truth: `Client.read_line` calls recv some 400,000 times for one byte each, which is nearly all of the run.
wanted: MainThread calls recv again and again in `Client.read_line`, a byte at a time -> read through a buffer (makefile)."""
import socket
import subprocess
import sys
import time

SERVER = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
peer = server.accept()[0]
try:
    while True:
        peer.sendall(b"12345678 a row of the result, 40 bytes" + b"\\n")
except OSError:
    pass
"""


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port))

    def read_line(self):
        line = b""
        while not line.endswith(b"\n"):
            byte = self.sock.recv(1)
            if not byte:
                return None
            line += byte
        return line

    def fetch(self, seconds):
        rows, end = 0, time.process_time() + seconds
        while time.process_time() < end and self.read_line() is not None:
            rows += 1
        return rows


child = subprocess.Popen([sys.executable, "-S", "-c", SERVER], stdout=subprocess.PIPE, text=True)
client = Client(int(child.stdout.readline()))
began = time.monotonic()
rows = client.fetch(1.2)
print("truth: %d rows in %.1f s, a byte at a time" % (rows, time.monotonic() - began))
client.sock.close()
child.wait()
