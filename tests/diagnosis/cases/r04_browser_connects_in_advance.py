"""The only synchronous worker of gunicorn reads from a connection on which nothing comes
(https://github.com/pypi/warehouse/pull/20110).
truth: the worker stands 1 s in `recv` for the first client, which is silent; `/health` waits behind it."""
import os
import signal
import subprocess
import sys
import threading

from gunicorn.app.base import BaseApplication

PORT = "18491"
CLIENT = """
import socket, sys, threading, time, urllib.request
silent = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
time.sleep(0.1)
threading.Timer(1.0, silent.close).start()
for _ in range(3):
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/health").read()
"""


def app(environ, start_response):
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
        self.cfg.set("loglevel", "critical")
        self.cfg.set("post_worker_init", start)

    def load(self):
        return app


Server().run()
