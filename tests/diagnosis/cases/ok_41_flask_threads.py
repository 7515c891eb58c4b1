"""HEALTHY: Flask with a thread per request, and a client that asks one request after the other."""
import threading
import time
import urllib.request

import flask
from werkzeug.serving import make_server

app = flask.Flask(__name__)


@app.get("/slow")
def slow():
    time.sleep(0.05)
    return "ok"


@app.get("/both")
def both():
    return urllib.request.urlopen(f"{base}/slow").read()


server = make_server("127.0.0.1", 0, app, threaded=True)
base = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, name="server", daemon=True).start()


def ask():
    for path in ["/slow", "/both"] * 8:
        urllib.request.urlopen(base + path).read()


threads = [threading.Thread(target=ask, name=f"client-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
server.shutdown()
