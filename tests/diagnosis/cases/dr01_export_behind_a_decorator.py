"""All four waitress threads wait for helper programs, and /health queues behind them
(https://github.com/jwbron/egg/issues/1400); the views are decorated.
truth: `export` takes 0.6 s, /health waits 0.7 s for a free thread.
"""

import functools
import logging
import subprocess
import sys
import threading
import time

import requests
from flask import Flask, jsonify, request
from waitress.server import create_server

logging.basicConfig(level=logging.ERROR)
app = Flask("gateway")


def timed(view):
    @functools.wraps(view)
    def inner(*a, **kw):
        began = time.monotonic()
        try:
            return view(*a, **kw)
        finally:
            app.logger.debug("%s %.3f", request.path, time.monotonic() - began)

    return inner


class Worktrees:
    def run_git(self, *args):
        code = "import time; time.sleep(0.55)"
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, *args], capture_output=True, text=True
        )
        return done.returncode

    def cleanup(self, name):
        return {"name": name, "rc": self.run_git("worktree", "prune", name)}


trees = Worktrees()


@app.get("/export/<name>")
@timed
def export(name):
    return jsonify(trees.cleanup(name))


@app.get("/health")
@timed
def health():
    return "ok"


def client(base, i, stop):
    with requests.Session() as s:
        while not stop.is_set():
            s.get(f"{base}/export/{i}", timeout=10)


def main():
    server = create_server(app, host="127.0.0.1", port=0, threads=4)
    threading.Thread(target=server.run, name="waitress-main", daemon=True).start()
    base = f"http://127.0.0.1:{server.effective_port}"
    stop = threading.Event()
    ts = [
        threading.Thread(target=client, args=(base, i, stop), name=f"client-{i}")
        for i in range(10)
    ]
    for t in ts:
        t.start()
    waited = []
    for _ in range(4):
        time.sleep(0.4)
        began = time.monotonic()
        requests.get(f"{base}/health", timeout=10)
        waited.append(time.monotonic() - began)
    stop.set()
    for t in ts:
        t.join()
    print("truth health ms", [round(w * 1e3) for w in waited])


if __name__ == "__main__":
    main()
