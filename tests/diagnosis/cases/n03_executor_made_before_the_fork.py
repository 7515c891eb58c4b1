"""An executor is made and used while gunicorn imports the application (`preload_app`); its
threads stay in the master, and workers wait for its results in vain. After
https://github.com/langfuse/langfuse-python/pull/1654: `enrich` gives up waits of 0.8 s for jobs
of `look-up`, whose threads a fork does not copy.
"""
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from gunicorn.app.base import BaseApplication

PORT = "18705"
pool = ThreadPoolExecutor(2, thread_name_prefix="look-up")
CLIENTS = """
import sys, threading, time, urllib.request
def ask(path, count, pause):
    for _ in range(count):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/{path}").read()
        except OSError:
            pass
        time.sleep(pause)
threads = [threading.Thread(target=ask, args=("item", 2, 0.1)) for _ in range(2)]
threads += [threading.Thread(target=ask, args=("ping", 10, 0.2))]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def look_up(key):
    time.sleep(0.005)
    return key * 2


def enrich():
    try:
        return str(pool.submit(look_up, 4).result(timeout=0.8)).encode()
    except TimeoutError:
        return b"?"


def app(environ, start_response):
    body = enrich() if environ["PATH_INFO"] == "/item" else b"pong"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


list(pool.map(look_up, range(8)))


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
        self.cfg.set("preload_app", True)

    def load(self):
        return app


Server().run()
