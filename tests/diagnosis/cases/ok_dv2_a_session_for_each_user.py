"""Healthy: sessions are locked while a request uses them, and each user asks one thing at a time."""

import threading
import time
import urllib.request
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

locks = {}
guard = threading.Lock()


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def load_part(path):
    time.sleep(0.08)
    return f"part {path}".encode()


def app(environ, start_response):
    with guard:
        lock = locks.setdefault(environ["HTTP_COOKIE"], threading.Lock())
    with lock:
        body = load_part(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def user(base, number):
    for page in range(15):
        request = urllib.request.Request(f"{base}/{page}", headers={"Cookie": f"sid={number}"})
        urllib.request.urlopen(request).read()
        time.sleep(0.1)


def main():
    server = make_server("127.0.0.1", 0, app, Server, Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    users = [threading.Thread(target=user, args=(base, n), name=f"user-{n}") for n in range(8)]
    for one in users:
        one.start()
    for one in users:
        one.join()
    print("served", len(locks), "users")
    server.shutdown()


main()
