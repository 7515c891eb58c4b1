"""Slow requests have both threads of a gunicorn worker; health checks time out behind them
(https://github.com/benoitc/gunicorn/issues/1493).
truth: 2 workers are asleep in `export` for 0.3 s each; `/health` waits behind them."""
import os
import signal
import subprocess
import sys
import time

from gunicorn.app.base import BaseApplication

PORT = "18473"
CLIENT = """
import sys, threading, urllib.request
def ask(path):
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}{path}").read()
threads = [threading.Thread(target=ask, args=(p,)) for p in ["/export", "/health"] * 6]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def export():
    time.sleep(0.3)
    return b"csv"


def app(environ, start_response):
    body = export() if environ["PATH_INFO"] == "/export" else b"ok"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class Server(BaseApplication):
    def load_config(self):
        self.cfg.set("bind", f"127.0.0.1:{PORT}")
        self.cfg.set("worker_class", "gthread")
        self.cfg.set("threads", 2)
        self.cfg.set("loglevel", "error")
        self.cfg.set("post_worker_init", self.start_client)

    @staticmethod
    def start_client(worker):
        import threading

        def ask():
            subprocess.run([sys.executable, "-I", "-S", "-c", CLIENT, PORT])
            os.kill(os.getppid(), signal.SIGTERM)

        threading.Thread(target=ask, daemon=True).start()

    def load(self):
        return app


Server().run()
