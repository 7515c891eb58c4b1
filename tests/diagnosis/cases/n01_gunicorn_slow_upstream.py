"""Two synchronous workers of gunicorn ask a slow service; the health check of a load balancer
stands in the listening socket's queue behind them. After
https://github.com/benoitc/gunicorn/issues/1417: both workers are in `report`, at `urlopen`;
connections wait up to 0.5 s until one of them is accepted.
"""
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request

from gunicorn.app.base import BaseApplication

PORT, UPSTREAM_PORT = "18701", "18702"
UPSTREAM = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Slow(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.25)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args):
        pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Slow).serve_forever()
"""
CLIENTS = """
import sys, threading, time, urllib.request
def ask(path, count):
    for _ in range(count):
        urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/{path}").read()
        time.sleep(0.02)
threads = [threading.Thread(target=ask, args=("report", 5)) for _ in range(4)]
threads += [threading.Thread(target=ask, args=("health", 6)) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def report():
    with urllib.request.urlopen(f"http://127.0.0.1:{UPSTREAM_PORT}/") as answer:
        return answer.read()


def app(environ, start_response):
    body = report() if environ["PATH_INFO"] == "/report" else b"ok"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def start(server):
    quiet = [sys.executable, "-I", "-S", "-c"]
    upstream = subprocess.Popen([*quiet, UPSTREAM, UPSTREAM_PORT])

    def load():
        time.sleep(0.5)
        subprocess.run([*quiet, CLIENTS, PORT])
        upstream.kill()
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
