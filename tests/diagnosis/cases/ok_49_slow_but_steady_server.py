"""CLEAN: a client asks a server whose answers take 20 to 60 ms, with TCP_NODELAY."""
import socket
import threading
import time

server = socket.create_server(("127.0.0.1", 0))


def serve():
    connection, _ = server.accept()
    with connection:
        number = 0
        while connection.recv(8):
            number += 1
            time.sleep(0.02 + 0.04 * (number % 3) / 2)
            connection.sendall(b"answer")


threading.Thread(target=serve, name="server", daemon=True).start()
with socket.create_connection(server.getsockname()) as client:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(25):
        client.sendall(b"question")
        client.recv(6)
