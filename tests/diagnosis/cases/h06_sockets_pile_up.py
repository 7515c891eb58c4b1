"""Each check opens a connection and keeps it (https://github.com/psf/requests/issues/4575).
truth: 150 sockets are open at the end; `check` never closes one."""
import socket
import threading
import time

kept, server = [], socket.create_server(("127.0.0.1", 0), backlog=300)


def serve():
    while True:
        connection, _ = server.accept()
        connection.recv(10)
        connection.sendall(b"ok")
        kept.append(connection)


def check():
    client = socket.create_connection(server.getsockname())
    client.sendall(b"ping")
    client.recv(10)
    kept.append(client)


threading.Thread(target=serve, daemon=True).start()
for _ in range(75):
    check()
    time.sleep(0.015)
print(f"truth {len(kept)} sockets")
