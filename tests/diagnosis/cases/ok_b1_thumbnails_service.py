"""HEALTHY: threads of a service take jobs from a bounded queue that is hardly ever full, keep a
shared index under a short lock, and end with sentinels."""
import queue
import random
import socket
import threading
import time

jobs = queue.Queue(64)
lock = threading.Lock()
index = {}
dice = random.Random(7)


def resize(name):
    time.sleep(0.004)
    return sum(name.encode()) % 97


def worker():
    while (name := jobs.get()) is not None:
        value = resize(name)
        with lock:
            index[name] = value
        jobs.task_done()
    jobs.task_done()


def serve(listener):
    while True:
        peer, _ = listener.accept()
        with peer:
            data = peer.makefile("rb").readline().decode().strip()
            if data == "quit":
                return
            jobs.put(data)
            peer.sendall(b"queued\n")


def main():
    workers = [threading.Thread(target=worker, name=f"resize-{n}") for n in range(4)]
    for one in workers:
        one.start()
    listener = socket.create_server(("127.0.0.1", 0))
    server = threading.Thread(target=serve, args=(listener,), name="server")
    server.start()
    for n in range(200):
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(f"picture-{n}\n".encode())
            client.recv(100)
        time.sleep(0.001 + dice.random() / 200)
    with socket.create_connection(listener.getsockname()) as client:
        client.sendall(b"quit\n")
    server.join()
    jobs.join()
    for _ in workers:
        jobs.put(None)
    for one in workers:
        one.join()
    print(len(index))


main()
