"""All threads of waitress sleep since an upstream said `Retry-After`; quick requests of clients
outside queue ("Task queue depth", https://github.com/Pylons/waitress/pull/243).
truth: 4 threads are asleep in `price`, 0.6 s each; `ping` waits for one of them."""
import subprocess
import sys
import threading
import time

import flask
from waitress.server import create_server

CLIENTS = """
import sys, threading, urllib.request
def ask(path):
    for _ in range(3):
        urllib.request.urlopen(sys.argv[1] + path).read()
threads = [threading.Thread(target=ask, args=(path,)) for path in ("/price", "/price", "/ping") * 4]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
app = flask.Flask("shop")


@app.get("/price")
def price():
    time.sleep(0.6)  # as urllib3's Retry does
    return "42"


@app.get("/ping")
def ping():
    return "pong"


server = create_server(app, host="127.0.0.1", port=18795, threads=4)
threading.Thread(target=server.run, name="waitress-main", daemon=True).start()
command = [sys.executable, "-I", "-S", "-c", CLIENTS, "http://127.0.0.1:18795"]
subprocess.run(command, check=True)
server.close()
