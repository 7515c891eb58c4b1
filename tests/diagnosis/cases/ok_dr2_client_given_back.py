"""CLEAN: connections are lent from a `Queue` and always given back; threads that take jobs from
another one wait a second for the next, and end, as idle workers do.
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
        try:
            return fn(client, *args)
        finally:
            labels.clients.put(client)

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


def next_job(jobs):
    text = jobs.get(timeout=1.0)
    print_label(text)
    return text


def late(jobs, outcome):
    try:
        while True:
            outcome.append(next_job(jobs))
    except queue.Empty:
        outcome.append("no more")


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
    jobs = queue.Queue()
    for text in "abcdef":
        jobs.put(text)
    ts = [
        threading.Thread(target=late, args=(jobs, outcome), name=f"late-{i}") for i in range(4)
    ]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    print("truth", failures, outcome)


if __name__ == "__main__":
    main()
