"""A thread per refresh fetches a page without a time-out; the server has accepted and says nothing
(https://github.com/psf/requests/issues/3353).
truth: 30 threads `refresh-N`, started in `schedule`, wait in `recv` in `fetch` for an answer, and none ends."""
import socket
import threading
import time

listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]


def fetch(n):
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return peer.recv(1000)


def schedule():
    for n in range(30):
        threading.Thread(target=fetch, args=(n,), name=f"refresh-{n}", daemon=True).start()
        time.sleep(0.05)


schedule()
time.sleep(0.2)
