"""All workers of an executor wait for a server that does not answer; other jobs wait behind them
(after reports of webhooks that stop when one receiver hangs).
truth: 3 workers stand 1.2 s in `recv` in `deliver`; 9 calls of `ping` wait for a worker."""
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

server = socket.create_server(("127.0.0.1", 0))


def hang():
    connections = [server.accept()[0] for _ in range(3)]
    time.sleep(1.2)
    for connection in connections:
        connection.close()


def deliver(hook):
    with socket.create_connection(server.getsockname()) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n\r\n")
        return connection.recv(100)


def ping(number):
    return number


threading.Thread(target=hang, daemon=True).start()
pool = ThreadPoolExecutor(3, "hooks")


def on_event(number):
    return pool.submit(ping, number).result()


hooks = [threading.Thread(target=lambda n=n: pool.submit(deliver, n).result(), name=f"hook-{n}") for n in range(3)]
for thread in hooks:
    thread.start()
time.sleep(0.1)
events = [threading.Thread(target=on_event, args=(n,), name=f"event-{n}") for n in range(9)]
for thread in events:
    thread.start()
for thread in [*hooks, *events]:
    thread.join()
pool.shutdown()
