"""A client sends head and body of a request in two writes, and waits 40 ms for each answer
(https://github.com/warner/foolscap/issues/109).
truth: `call` waits 40 ms in recv, 25 times, for an answer that takes microseconds."""
import socket
import threading

server = socket.create_server(("127.0.0.1", 0))


def serve():
    connection, _ = server.accept()
    with connection:
        while True:
            data = b""
            while len(data) < 8:
                more = connection.recv(8 - len(data))
                if not more:
                    return
                data += more
            connection.sendall(b"answer")


def call(client):
    client.sendall(b"head")
    client.sendall(b"body")
    return client.recv(6)


threading.Thread(target=serve, name="server", daemon=True).start()
with socket.create_connection(server.getsockname()) as client:
    for _ in range(30):
        call(client)
