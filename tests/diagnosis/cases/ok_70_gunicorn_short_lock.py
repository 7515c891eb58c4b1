"""HEALTHY: gunicorn with threads, a counter under a lock, and a pause of 20 ms in each request."""
import os
import signal
import subprocess
import sys
import threading
import time

from gunicorn.app.base import BaseApplication

CLIENT = """
import sys, threading, urllib.request
def ask():
    for _ in range(15):
        urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/").read()
threads = [threading.Thread(target=ask) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
PORT = "18482"
lock = threading.Lock()
counts = {}


def count(path):
    with lock:
        counts[path] = counts.get(path, 0) + 1


def app(environ, start_response):
    count(environ["PATH_INFO"])
    time.sleep(0.02)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def start(worker):
    def ask():
        subprocess.run([sys.executable, "-I", "-S", "-c", CLIENT, PORT])
        os.kill(os.getppid(), signal.SIGTERM)

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
