"""A Flask application with one worker asks itself over HTTP: the request waits for its own time-out
(https://pytroubles.com/en/ampposts/id2884-flask-gunicorn-single-worker-deadlock-internal-http-calls-hang-without-extra-workers).

truth: `call_hello` (requests.get, time-out 1.5 s) waits for a server whose only thread is the one that waits: it asks
itself.
"""
import threading
import time

import requests
from flask import Flask
from werkzeug.serving import make_server

app = Flask(__name__)
port = 0


@app.get("/hello")
def hello() -> dict[str, str]:
    return {"message": "hello"}


@app.get("/call_hello")
def call_hello() -> dict[str, str]:
    try:
        return {"answer": requests.get(f"http://127.0.0.1:{port}/hello", timeout=1.5).json()["message"]}
    except requests.Timeout:
        return {"answer": "none"}


def main() -> None:
    global port
    server = make_server("127.0.0.1", 0, app, threaded=False)
    port = server.server_port
    thread = threading.Thread(target=server.serve_forever, name="server")
    thread.start()
    print(requests.get(f"http://127.0.0.1:{port}/hello").json())
    print(requests.get(f"http://127.0.0.1:{port}/call_hello").json())
    server.shutdown()
    thread.join()


main()
