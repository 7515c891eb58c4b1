"""HEALTHY: two synchronous workers of gunicorn, short requests from two clients."""
import os
import signal
import subprocess
import sys
import threading
import time

from gunicorn.app.base import BaseApplication

PORT = "18492"
CLIENT = """
import sys, threading, time, urllib.request
def ask():
    for _ in range(20):
        urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/").read()
        time.sleep(0.02)
threads = [threading.Thread(target=ask) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def app(environ, start_response):
    time.sleep(0.005)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def start(server):
    def ask():
        subprocess.run([sys.executable, "-I", "-S", "-c", CLIENT, PORT])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=ask, daemon=True).start()


class Server(BaseApplication):
    def load_config(self):
        self.cfg.set("bind", f"127.0.0.1:{PORT}")
        self.cfg.set("workers", 2)
        self.cfg.set("loglevel", "critical")
        self.cfg.set("when_ready", start)

    def load(self):
        return app


Server().run()
