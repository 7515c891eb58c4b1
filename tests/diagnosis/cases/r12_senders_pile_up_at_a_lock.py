"""A thread is started for each alarm, and all wait for the lock of one whose peer does not answer
(after reports of threads that pile up behind a mail server).
truth: 25 threads `alarm-N` wait for the Lock in `send`; the first one has it, 1.3 s in `recv` for an answer."""
import socket
import threading
import time


class Mailer:
    def __init__(self, address):
        self.lock = threading.Lock()
        self.address = address

    def send(self, text):
        with self.lock, socket.create_connection(self.address) as connection:
            connection.sendall(text.encode())
            connection.settimeout(3)
            return connection.recv(10)


server = socket.create_server(("127.0.0.1", 0))
mailer = Mailer(server.getsockname())


def answer_late():
    first = True
    while True:
        connection, _ = server.accept()
        if first:
            time.sleep(1.3)
        first = False
        connection.sendall(b"250 ok")
        connection.close()


threading.Thread(target=answer_late, daemon=True).start()
threads = []
for number in range(25):
    thread = threading.Thread(target=mailer.send, args=(f"alarm {number}",), name=f"alarm-{number}")
    thread.start()
    threads.append(thread)
    time.sleep(0.03)
for thread in threads:
    thread.join()
