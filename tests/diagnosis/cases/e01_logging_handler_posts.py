"""A log handler posts each record to a slow server: all threads queue for the handler's lock
(https://docs.python.org/3/howto/logging-cookbook.html#dealing-with-handlers-that-block).
truth: 4 workers log 5 lines each; `emit` waits 60 ms in recv with the handler's lock."""
import logging
import socket
import threading
import time


def serve(listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection):
    with connection:
        connection.recv(1000)
        time.sleep(0.06)
        connection.sendall(b"ok")


class PostHandler(logging.Handler):
    def emit(self, record):
        with socket.create_connection(address) as connection:
            connection.sendall(self.format(record).encode())
            connection.recv(10)


def work(n):
    for i in range(5):
        log.warning("worker %d step %d", n, i)


listener = socket.create_server(("127.0.0.1", 0))
address = listener.getsockname()
threading.Thread(target=serve, args=(listener,), daemon=True, name="collector").start()
log = logging.getLogger("app")
log.addHandler(PostHandler())
threads = [threading.Thread(target=work, args=(n,), name=f"worker-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
