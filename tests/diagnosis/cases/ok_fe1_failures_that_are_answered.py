"""Healthy: one answer in ten of a server is a refusal, after which its client asks again; lines that cannot be parsed are
counted; and a queue is asked with a time-out."""
import queue
import socket
import threading


class RefusedError(Exception):
    pass


class ParseError(ValueError):
    pass


def serve(listener):
    connection, _ = listener.accept()
    with connection:
        n = 0
        while connection.recv(1):
            n += 1
            threading.Event().wait(0.004)
            connection.sendall(b"n" if n % 10 == 0 else b"y")


def ask(connection):
    connection.sendall(b"?")
    if connection.recv(1) == b"n":
        raise RefusedError
    return 1


def client(port, results):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(270):
            while True:
                try:
                    results.put(ask(connection))
                    break
                except RefusedError:
                    pass


def parse(line):
    key, found, value = line.partition("=")
    if not found:
        raise ParseError(line)
    return key, value


def count(lines):
    wrong = 0
    for line in lines:
        try:
            parse(line)
        except ParseError:
            wrong += 1
    return wrong


def take(results):
    taken = 0
    while taken < 540:
        try:
            taken += results.get(timeout=0.05)
        except queue.Empty:
            pass
    return taken


def main():
    results = queue.Queue()
    threads = [threading.Thread(target=take, args=(results,), name="taker")]
    for n in range(2):
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        threads.append(threading.Thread(target=serve, args=(listener,), name=f"server-{n}"))
        threads.append(threading.Thread(target=client, args=(port, results), name=f"client-{n}"))
    for thread in threads:
        thread.start()
    wrong = count(["a=b", "nothing", "c=d"] * 40_000)
    for thread in threads:
        thread.join()
    print("truth", wrong, "lines could not be parsed, one request in ten was refused")


main()
