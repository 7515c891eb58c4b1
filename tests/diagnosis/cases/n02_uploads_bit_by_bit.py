"""Clients on slow lines upload to two synchronous workers of gunicorn, which read each body to
its end. After https://github.com/freelawproject/courtlistener/pull/2585: both stand in `recv`
in `upload` for the next piece; others wait until they are accepted.
"""
import os
import signal
import subprocess
import sys
import threading
import time

from gunicorn.app.base import BaseApplication

PORT = "18703"
CLIENTS = """
import socket, sys, threading, time, urllib.request
def upload():
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as line:
            line.sendall(b"POST /upload HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 60000\\r\\n\\r\\n")
            for _ in range(12):
                line.sendall(b"x" * 5000)
                time.sleep(0.08)
            line.recv(1000)
def ping():
    for _ in range(6):
        urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/ping").read()
        time.sleep(0.1)
threads = [threading.Thread(target=upload) for _ in range(3)]
threads += [threading.Thread(target=ping) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def upload(environ):
    return str(len(environ["wsgi.input"].read())).encode()


def app(environ, start_response):
    body = upload(environ) if environ["PATH_INFO"] == "/upload" else b"pong"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def start(server):
    def load():
        time.sleep(0.5)
        subprocess.run([sys.executable, "-I", "-S", "-c", CLIENTS, PORT])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=load, daemon=True).start()


class Server(BaseApplication):
    def load_config(self):
        self.cfg.set("bind", f"127.0.0.1:{PORT}")
        self.cfg.set("workers", 2)
        self.cfg.set("loglevel", "critical")
        self.cfg.set("when_ready", start)

    def load(self):
        return app


Server().run()
