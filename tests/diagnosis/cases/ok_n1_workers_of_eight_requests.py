"""HEALTHY: gunicorn replaces each worker after eight requests; a slow one now and then."""
import os
import signal
import subprocess
import sys
import threading
import time

from gunicorn.app.base import BaseApplication

PORT = "18711"
CLIENTS = """
import sys, threading, time, urllib.request
def ask(path, count, pause):
    for _ in range(count):
        urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/{path}").read()
        time.sleep(pause)
threads = [threading.Thread(target=ask, args=("page", 40, 0.05)) for _ in range(1)]
threads += [threading.Thread(target=ask, args=("slow", 2, 0.3)) for _ in range(1)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def app(environ, start_response):
    time.sleep(1 if environ["PATH_INFO"] == "/slow" else 0.03)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


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
        self.cfg.set("max_requests", 8)

    def load(self):
        return app


Server().run()
