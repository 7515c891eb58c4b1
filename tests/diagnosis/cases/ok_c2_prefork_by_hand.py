"""HEALTHY: prefork by hand: 3 worker processes accept on one socket, serve 40 ms of I/O, parent waits; 6 clients in threads."""
import multiprocessing
import os
import signal
import socket
import threading
import time


def serve(listener):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        connection, _ = listener.accept()
        with connection:
            data = connection.recv(100)
            time.sleep(0.01)
            connection.sendall(data.upper())


def client(port):
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"hello")
            connection.recv(100)
        time.sleep(0.05)


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0), backlog=50)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=serve, args=(listener,), name=f"worker-{n}") for n in range(3)]
    for worker in workers:
        worker.start()
    clients = [threading.Thread(target=client, args=(listener.getsockname()[1],), name=f"client-{n}") for n in range(6)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    for worker in workers:
        worker.terminate()
        worker.join()
