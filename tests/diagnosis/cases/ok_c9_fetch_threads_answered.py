"""HEALTHY: a thread per refresh fetches a page, and has its answer after 50 ms; some clients stay connected."""
import socket
import threading
import time

listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
keep = []


def serve(peer):
    with peer:
        while peer.recv(100):
            time.sleep(0.05)
            peer.sendall(b"ok")


def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), name="serve", daemon=True).start()


def fetch(n):
    peer = socket.create_connection(("127.0.0.1", port))
    peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
    peer.recv(1000)
    if n % 3:
        peer.close()
    else:
        keep.append(peer)


threading.Thread(target=accept, name="accept", daemon=True).start()
threads = [threading.Thread(target=fetch, args=(n,), name=f"refresh-{n}") for n in range(30)]
for thread in threads:
    thread.start()
    time.sleep(0.05)
for thread in threads:
    thread.join()
