"""A request takes longer than the `timeout` of gunicorn, which ends its worker. After
https://github.com/benoitc/gunicorn/issues/1440: two workers were replaced after a good second
in `report`, in five calls to another service.
"""
import os
import signal
import subprocess
import sys
import threading
import time

from gunicorn.app.base import BaseApplication

PORT = "18706"
CLIENTS = """
import sys, threading, time, urllib.request
def ask(path, count, pause):
    for _ in range(count):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/{path}").read()
        except OSError:
            pass
        time.sleep(pause)
threads = [threading.Thread(target=ask, args=("report", 1, 0.3)) for _ in range(2)]
threads += [threading.Thread(target=ask, args=("ping", 10, 0.2))]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def fetch(part):
    time.sleep(0.6)  # another service
    return str(part)


def report():
    return "".join(fetch(part) for part in range(5)).encode()


def app(environ, start_response):
    body = report() if environ["PATH_INFO"] == "/report" else b"pong"
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
        self.cfg.set("workers", 2)
        self.cfg.set("loglevel", "critical")
        self.cfg.set("when_ready", load)
        self.cfg.set("timeout", 1)

    def load(self):
        return app


Server().run()
