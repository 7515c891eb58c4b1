"""HEALTHY: three synchronous workers of gunicorn make pages of 6 ms for six clients outside."""
import os
import signal
import subprocess
import sys
import threading
import time

from gunicorn.app.base import BaseApplication

PORT = "18712"
CLIENTS = """
import sys, threading, time, urllib.request
def ask(path, count, pause):
    for _ in range(count):
        urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/{path}").read()
        time.sleep(pause)
threads = [threading.Thread(target=ask, args=("page", 40, 0.03)) for _ in range(4)]
threads += [threading.Thread(target=ask, args=("ping", 40, 0.03)) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def page():
    rows, end = [], time.perf_counter() + 0.006
    while time.perf_counter() < end:
        rows = [*rows[-500:], f"<tr><td>{len(rows)}</td></tr>"]
    return "".join(rows).encode()


def app(environ, start_response):
    body = page() if environ["PATH_INFO"] == "/page" else b"pong"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def load(server):
    def ask():
        time.sleep(0.5)
        subprocess.run([sys.executable, "-I", "-S", "-c", CLIENTS, PORT])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=ask, daemon=True).start()


class Server(BaseApplication):
    def load_config(self):
        self.cfg.set("bind", f"127.0.0.1:{PORT}")
        self.cfg.set("workers", 3)
        self.cfg.set("loglevel", "critical")
        self.cfg.set("when_ready", load)

    def load(self):
        return app


Server().run()
