"""The trace must show the thread `responder` waiting for the GIL, which `compress` has.

The responder answers 40 requests that another process sends over a socket, a millisecond
apart; each is worth microseconds. Beside it `compress` computes in pure Python and gives the
GIL only when it is forced to, every 5 ms. The client keeps books of how long answers took.
"""

import socket
import subprocess
import sys
import threading
from itertools import pairwise

CLIENT = """
import socket, sys, time
server, answered_s = socket.socket(fileno=int(sys.argv[1])), []
for n in range(40):
    time.sleep(0.001)
    start = time.monotonic()
    server.sendall(b"request %d" % n)
    server.recv(64)
    answered_s.append(time.monotonic() - start)
slowest = max(answered_s)
print(f"answers took {sum(answered_s) * 1e3:.3f} ms, the slowest {slowest * 1e3:.3f} ms")
"""

client, server = socket.socketpair()
done = threading.Event()


def compress() -> None:
    """Never waits for anything: 256 rounds of run-length counting between two looks."""
    text = b"aaaabbbcca" * 50
    while not done.is_set():
        for _ in range(256):
            runs = 1
            for before, after in pairwise(text):
                runs += before != after


def respond() -> None:
    while request := server.recv(64):
        server.sendall(request.upper())


responder = threading.Thread(target=respond, name="responder")
hog = threading.Thread(target=compress, name="compress")
responder.start()
hog.start()
subprocess.run(
    [sys.executable, "-c", CLIENT, str(client.fileno())],
    pass_fds=[client.fileno()],
    check=True,
)
client.close()
done.set()
hog.join()
responder.join()
server.close()
