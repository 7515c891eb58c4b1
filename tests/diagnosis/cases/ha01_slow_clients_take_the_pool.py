"""Connections go straight to a pool of 4 threads; clients that send nothing hold them, health checks wait
(https://github.com/benoitc/gunicorn/pull/3519).

truth: the four pool threads wait in `read_request` (recv) for clients that send nothing; `serve`'s later connections,
among them the health checks, waited in the pool's queue for about 1.5 s.
"""
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

listener = socket.create_server(("127.0.0.1", 0))
address = listener.getsockname()
latencies: list[float] = []


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(4096)
        if not part:
            break
        data += part
    return data


def handle(connection: socket.socket) -> None:
    with connection:
        if read_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def accept_all(pool: ThreadPoolExecutor) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        pool.submit(handle, connection)


def health_check() -> None:
    begin = time.monotonic()
    with socket.create_connection(address) as client:
        client.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        client.recv(4096)
    latencies.append(time.monotonic() - begin)


def main() -> None:
    pool = ThreadPoolExecutor(4, thread_name_prefix="gthread")
    acceptor = threading.Thread(target=accept_all, args=(pool,), name="acceptor", daemon=True)
    acceptor.start()
    for _ in range(3):
        health_check()
    slow = [socket.create_connection(address) for _ in range(4)]
    time.sleep(0.1)
    checks = [threading.Thread(target=health_check, name=f"probe-{n}") for n in range(3)]
    for check in checks:
        check.start()
    time.sleep(1.5)
    for client in slow:
        client.close()
    for check in checks:
        check.join()
    for _ in range(3):
        health_check()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    pool.shutdown()
    print([round(n, 2) for n in latencies])


main()
