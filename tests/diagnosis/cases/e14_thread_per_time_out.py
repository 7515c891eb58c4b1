"""A thread is made for each operation, to give it a time-out, and is forgotten when that expires
(https://github.com/mailpile/Mailpile/issues/2017).
truth: 40 threads of `run_timed` are alive at the end, all in recv; none was ever stopped."""
import socket
import threading

silent = socket.create_server(("127.0.0.1", 0), backlog=100)


def fetch_mail():
    with socket.create_connection(silent.getsockname()) as connection:
        connection.recv(10)


def run_timed(work, seconds):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)


for _ in range(40):
    run_timed(fetch_mail, 0.05)
