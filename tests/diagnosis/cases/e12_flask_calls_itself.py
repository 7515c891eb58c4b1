"""A server with one thread asks itself
(https://pytroubles.com/en/ampposts/id2884-flask-gunicorn-single-worker-deadlock-internal-http-calls-hang-without-extra-workers).
truth: `server` waits 1 s in recv, in `call_data`, for an answer that only it could give."""
import threading
import urllib.request

import flask
from werkzeug.serving import make_server

app = flask.Flask(__name__)


@app.get("/data")
def data():
    return "42"


@app.get("/report")
def call_data():
    try:
        return urllib.request.urlopen(f"{base}/data", timeout=1.0).read()
    except TimeoutError:
        return "gave up"


server = make_server("127.0.0.1", 0, app, threaded=False)
base = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
print("truth", urllib.request.urlopen(f"{base}/report").read())
