"""A route that loops for ever takes one thread of the server with each request, until none is left
(https://github.com/pallets/flask/issues/4923).
truth: all 4 threads of waitress are in `watch`, asleep in its loop, and never come back; `/ping` waits 1.2 s and gets no answer."""
import http.client
import threading
import time

import flask
import waitress

app = flask.Flask(__name__)
stop = threading.Event()


@app.get("/watch")
def watch():
    while not stop.is_set():
        time.sleep(0.3)
    return "end"


@app.get("/ping")
def ping():
    return "pong"


server = waitress.create_server(app, listen="127.0.0.1:0", threads=4, clear_untrusted_proxy_headers=True)
PORT = server.effective_port
threading.Thread(target=server.run, name="waitress-main", daemon=True).start()


def get(page, timeout=5.0):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=timeout)
    try:
        connection.request("GET", page)
        return connection.getresponse().read()
    except TimeoutError:
        return "no answer"


clients = [threading.Thread(target=get, args=("/watch",), name=f"browser-{n}") for n in range(4)]
print("truth", get("/ping"))
for client in clients:
    client.start()
time.sleep(0.3)
print("truth", get("/ping", 1.2), get("/ping", 0.5))
stop.set()
for client in clients:
    client.join()
