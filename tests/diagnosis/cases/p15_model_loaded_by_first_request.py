"""The first request loads a model under a lock, and all others wait for it
(https://github.com/ace-step/ACE-Step-1.5/issues/1281).
truth: 7 requests wait 0.9 s in `get_model` for the lock; its holder sleeps in `load_model`."""
import threading
import time
import urllib.request

from flask import Flask
from werkzeug.serving import make_server

app = Flask(__name__)
lock = threading.Lock()
model = None


def load_model():
    time.sleep(0.9)
    return str.upper


def get_model():
    global model
    with lock:
        if model is None:
            model = load_model()
    return model


@app.get("/predict/<word>")
def predict(word):
    return get_model()(word)


server = make_server("127.0.0.1", 0, app, threaded=True)
serving = threading.Thread(target=server.serve_forever, name="server")
serving.start()


def ask(n):
    urllib.request.urlopen(f"http://127.0.0.1:{server.port}/predict/w{n}").read()


clients = [threading.Thread(target=ask, args=(n,), name=f"client-{n}") for n in range(8)]
for client in clients:
    client.start()
for client in clients:
    client.join()
server.shutdown()
serving.join()
