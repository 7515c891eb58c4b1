"""A client makes a connection and a reader thread each time the feed is quiet, and leaves the old
ones (https://github.com/miguelgrinberg/python-engineio/issues/188).
truth: 30 threads `reader-N` from `connect`, each in `recv` to the end."""
import itertools
import socket
import threading
import time

got = []
peers = []


def serve(listener):
    for n in itertools.count():
        peer, _ = listener.accept()
        peers.append(peer)
        for k in range(5):
            peer.sendall(b"tick %d\n" % (n * 10 + k))


def read(connection):
    while data := connection.recv(4096):
        got.append(data)


class Feed:
    def __init__(self, address):
        self.address, self.n, self.connection = address, 0, None

    def connect(self):
        self.connection = socket.create_connection(self.address)
        self.n += 1
        threading.Thread(target=read, args=(self.connection,), name=f"reader-{self.n}", daemon=True).start()


def work(stop):
    while not stop.wait(0.01):
        sum(len(data) for data in got[-100:])


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), name="server", daemon=True).start()
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(stop,), name="worker")
    worker.start()
    feed = Feed(listener.getsockname())
    for _ in range(30):
        feed.connect()
        time.sleep(0.06)  # quiet: the watchdog makes a new connection
    stop.set()
    worker.join()
    print("truth", threading.active_count(), "threads at the end")


main()
