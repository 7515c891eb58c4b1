"""socket.getaddrinfo and a blocking connect inside a coroutine
(https://github.com/redis/redis-py/issues/2993).
truth: `reconnect` blocks the loop in a TCP connect and recv for 150 ms, 5 times."""
import asyncio
import socket
import threading
import time


def serve(listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        time.sleep(0.15)
        connection.sendall(b"+OK\r\n")
        connection.close()


async def reconnect(address):
    for _ in range(5):
        with socket.create_connection(address) as client:
            client.recv(10)
        await asyncio.sleep(0.02)


async def worker():
    while True:
        await asyncio.sleep(0.005)


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    workers = [asyncio.create_task(worker()) for _ in range(5)]
    await reconnect(listener.getsockname())
    for task in workers:
        task.cancel()


asyncio.run(main())
