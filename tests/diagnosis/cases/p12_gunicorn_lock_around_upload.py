"""A view keeps a module's lock while it writes to another service; all threads queue for it
(https://github.com/netbox-community/netbox/issues/7657).
truth: 4 threads of gunicorn wait for `_client_lock`; the holder is in `recv` in `upload`, 0.1 s each time."""
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from gunicorn.app.base import BaseApplication

CLIENT = """
import sys, threading, urllib.request
def ask():
    for _ in range(3):
        urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/").read()
threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
PORT = "18481"
_client_lock = threading.Lock()
storage = socket.create_server(("127.0.0.1", 0))


def serve_storage():
    while True:
        connection, _ = storage.accept()
        connection.recv(100)
        time.sleep(0.1)
        connection.sendall(b"ok")
        connection.close()


def upload(data):
    with _client_lock:
        with socket.create_connection(storage.getsockname()) as connection:
            connection.sendall(data)
            return connection.recv(10)


def app(environ, start_response):
    body = upload(b"blob")
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def start(worker):
    def ask():
        subprocess.run([sys.executable, "-I", "-S", "-c", CLIENT, PORT])
        os.kill(os.getppid(), signal.SIGTERM)

    threading.Thread(target=serve_storage, daemon=True).start()
    threading.Thread(target=ask, daemon=True).start()


class Server(BaseApplication):
    def load_config(self):
        self.cfg.set("bind", f"127.0.0.1:{PORT}")
        self.cfg.set("worker_class", "gthread")
        self.cfg.set("threads", 4)
        self.cfg.set("loglevel", "error")
        self.cfg.set("post_worker_init", start)

    def load(self):
        return app


Server().run()
