"""A chat of threads sends each message to one client after the other, and one of them does not read
(https://github.com/python-zk/kazoo/issues/577 has the same inside of one program).
truth: `broadcaster` stands 2 s in `sendall` in `send_to_all` for the client that does not read; the messages wait.
"""

import queue
import socket
import subprocess
import sys
import threading
import time

CLIENT = """import socket, sys, time
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
time.sleep(float(sys.argv[2]))
while client.recv(65536):
    pass"""

messages: "queue.Queue[bytes | None]" = queue.Queue()
clients: list[socket.socket] = []


def send_to_all() -> None:
    while (message := messages.get()) is not None:
        for client in clients:
            client.sendall(message)


with socket.create_server(("127.0.0.1", 0)) as listener:
    port = str(listener.getsockname()[1])
    children = [
        subprocess.Popen([sys.executable, "-S", "-c", CLIENT, port, seconds])
        for seconds in ("0", "3.5", "0", "0")
    ]
    for _ in children:
        client, _ = listener.accept()
        clients.append(client)
broadcaster = threading.Thread(target=send_to_all, name="broadcaster")
broadcaster.start()
until = time.monotonic() + 2.5
while time.monotonic() < until:
    messages.put(b"x" * 200_000)
    time.sleep(0.02)
messages.put(None)
broadcaster.join()
for client in clients:
    client.close()
for child in children:
    child.wait()
