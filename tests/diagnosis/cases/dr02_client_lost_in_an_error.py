"""A decorator lends printer connections from a `Queue`, and loses one with each error
(https://github.com/psf/requests/issues/2400 has the shape). Nobody had to wait before that.
truth: 3 connections are lost in `lend` by `orders`; 4 threads wait 1.0 s there, and give up.
"""

import functools
import queue
import socket
import threading
import time


class Printer:
    def __init__(self, address):
        self.sock = socket.create_connection(address)

    def send(self, text):
        self.sock.sendall(text.encode() + b"\n")
        reply = self.sock.recv(100)
        if reply.startswith(b"E"):
            raise ValueError(reply.decode())
        return reply


class Labels:
    def __init__(self, address, n):
        self.clients = queue.Queue()
        for _ in range(n):
            self.clients.put(Printer(address))


labels = None


def lend(fn):
    @functools.wraps(fn)
    def inner(*args):
        client = labels.clients.get(timeout=1.0)
        result = fn(client, *args)
        labels.clients.put(client)
        return result

    return inner


@lend
def print_label(client, text):
    return client.send(text)


def serve(listener):
    def one(sock):
        with sock, sock.makefile("rb") as lines:
            for line in lines:
                time.sleep(0.02)
                sock.sendall(b"E bad\n" if b"\xc3" in line else b"ok\n")

    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=one, args=(sock,), name="printer", daemon=True).start()


def orders(texts, failures):
    for text in texts:
        try:
            print_label(text)
        except ValueError:
            failures.append(text)


def late(outcome):
    began = time.monotonic()
    try:
        print_label("late")
        outcome.append("ok")
    except queue.Empty:
        outcome.append(f"empty after {time.monotonic() - began:.2f}")


def main():
    global labels
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), name="printers", daemon=True).start()
    labels = Labels(listener.getsockname(), 3)
    failures, outcome = [], []
    t = threading.Thread(
        target=orders, args=(["a", "é", "b", "ü", "c", "ö"], failures), name="orders"
    )
    t.start()
    t.join()
    ts = [threading.Thread(target=late, args=(outcome,), name=f"late-{i}") for i in range(4)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    print("truth", failures, outcome)


if __name__ == "__main__":
    main()
