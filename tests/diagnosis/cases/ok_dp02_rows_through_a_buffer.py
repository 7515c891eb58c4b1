"""HEALTHY: a client reads the lines of an answer through makefile, and works on each for a moment."""
import hashlib
import socket
import subprocess
import sys
import time

SERVER = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
peer = server.accept()[0]
for n in range(4000):
    peer.sendall(b"%08d a row of the result, 40 bytes" % n + b"\\n")
peer.close()
"""

child = subprocess.Popen([sys.executable, "-S", "-c", SERVER], stdout=subprocess.PIPE, text=True)
sock = socket.create_connection(("127.0.0.1", int(child.stdout.readline())))
began, rows = time.monotonic(), 0
with sock.makefile("rb") as lines:
    for line in lines:
        rows += 1
        hashlib.sha256(line * 4000).digest()
child.wait()
print("truth: %d rows in %.1f s" % (rows, time.monotonic() - began))
