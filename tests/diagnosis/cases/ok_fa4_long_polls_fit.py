"""HEALTHY: waitress with threads enough: long polls end after 0.3 s or with news, and /ping answers at once."""
import http.client
import threading
import time

import flask
import waitress

app = flask.Flask(__name__)
news = threading.Condition()


@app.get("/watch")
def watch():
    with news:
        return "news" if news.wait(0.3) else "none"


@app.get("/ping")
def ping():
    return "pong"


server = waitress.create_server(app, listen="127.0.0.1:0", threads=8, clear_untrusted_proxy_headers=True)
threading.Thread(target=server.run, name="waitress-main", daemon=True).start()


def get(page):
    connection = http.client.HTTPConnection("127.0.0.1", server.effective_port, timeout=5)
    connection.request("GET", page)
    body = connection.getresponse().read()
    connection.close()
    return body


def browser():
    for _ in range(5):
        get("/watch")


browsers = [threading.Thread(target=browser, name=f"browser-{n}") for n in range(4)]
for one in browsers:
    one.start()
for n in range(20):
    get("/ping")
    time.sleep(0.05)
    if n % 3 == 0:
        with news:
            news.notify_all()
for one in browsers:
    one.join()
