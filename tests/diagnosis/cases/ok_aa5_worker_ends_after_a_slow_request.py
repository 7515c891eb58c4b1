"""HEALTHY: gunicorn replaces its worker after three requests, the last of which is slow: it is
answered before the worker ends."""
import os
import signal
import subprocess
import sys
import threading
import time

from gunicorn.app.base import BaseApplication

PORT = "18712"
CLIENTS = """
import sys, time, urllib.request
for path in ("page", "page", "slow") * 2:
    assert urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/{path}").read() == b"ok"
    time.sleep(0.1)
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
        self.cfg.set("workers", 1)
        self.cfg.set("loglevel", "critical")
        self.cfg.set("when_ready", load)
        self.cfg.set("max_requests", 3)

    def load(self):
        return app


Server().run()
