"""A threaded server (werkzeug) computes for each of eight clients; a health probe is slow.
truth: the request threads share the GIL, in `diff_versions`; each computes for 20 ms only."""
import difflib
import json
import threading
import time
import urllib.request

from flask import Flask
from werkzeug.serving import make_server

app = Flask(__name__)
OLD = [f"line {n} {n * 7 % 13}" for n in range(2500)]
NEW = [f"line {n} {n * 7 % 11}" for n in range(2500)]


def diff_versions(a, b):
    return "\n".join(difflib.unified_diff(OLD[a:], NEW[b:], lineterm=""))


@app.get("/diff/<int:a>/<int:b>")
def diff(a, b):
    return {"diff": diff_versions(a, b)}


@app.get("/health")
def health():
    return {"ok": True}


def ask(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        return json.load(answer)


def client(port, n):
    for k in range(6):
        ask(port, f"/diff/{n}/{k}")
        time.sleep(0.01)


def probe(port, stop):
    while not stop.is_set():
        ask(port, "/health")
        stop.wait(0.05)


def main():
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="flask").start()
    stop = threading.Event()
    prober = threading.Thread(target=probe, args=(server.server_port, stop), name="probe")
    clients = [threading.Thread(target=client, args=(server.server_port, n), name=f"client-{n}") for n in range(8)]
    for thread in (prober, *clients):
        thread.start()
    for thread in clients:
        thread.join()
    stop.set()
    prober.join()
    server.shutdown()


main()
