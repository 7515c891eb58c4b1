"""The trace must show the thread `responder` waiting for the GIL, which `compress` has.

The responder answers 40 requests that come over a socket: it looks each up, which takes 2 ms
without the GIL, and computes for microseconds. Beside it `compress` computes in pure Python
and gives the GIL only when it is forced to, every 5 ms.
The program keeps its own books of how long the answers took.
"""

import socket
import threading
import time
from itertools import pairwise

REQUESTS = 40
LOOK_UP_S = 0.002

client, server = socket.socketpair()
done = threading.Event()
answered_s: list[float] = []


def compress() -> None:
    """Never waits for anything: 256 rounds of run-length counting between checks."""
    text = b"aaaabbbcca" * 50
    while not done.is_set():
        for _ in range(256):
            runs = 1
            for before, after in pairwise(text):
                runs += before != after


def respond() -> None:
    while request := server.recv(64):
        time.sleep(LOOK_UP_S)  # the disk
        server.sendall(request.upper())


responder = threading.Thread(target=respond, name="responder")
hog = threading.Thread(target=compress, name="compress")
responder.start()
hog.start()
for n in range(REQUESTS):
    start = time.monotonic()
    client.sendall(b"request %d" % n)
    client.recv(64)
    answered_s.append(time.monotonic() - start)
done.set()
client.close()
hog.join()
responder.join()
server.close()
print(
    f"answers took {sum(answered_s) * 1e3:.3f} ms, the slowest {max(answered_s) * 1e3:.3f} ms"
)
