"""requests #3070 and many more: `timeout=1` limits each read, not the whole; an answer that comes in drops never ends.

Truth: `fetch` reads for 2.5 s what the server sends a byte at a time, one each 0.1 s; no read is as long as the time-out.
"""
import multiprocessing
import socket
import time

import requests


def serve(ports: "multiprocessing.Queue[int]") -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ports.put(server.getsockname()[1])
        connection, _ = server.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n")
        for _ in range(25):
            time.sleep(0.1)
            connection.sendall(b"x")


def fetch(url: str) -> str:
    return requests.get(url, timeout=1).text


def main() -> None:
    context = multiprocessing.get_context("fork")
    ports: "multiprocessing.Queue[int]" = context.Queue()
    server = context.Process(target=serve, args=(ports,), name="upstream", daemon=True)
    server.start()
    print(len(fetch(f"http://127.0.0.1:{ports.get()}/")))
    server.join()


main()
