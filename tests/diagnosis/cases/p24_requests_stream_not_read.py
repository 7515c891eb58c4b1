"""Responses with stream=True are never read nor closed, so the session runs out of connections
(https://github.com/psf/requests/issues/3461).
truth: 2 connections are kept by responses of `head_of`; the other 3 threads wait for one in vain or to the end."""
import http.server
import threading
import time

import requests
from requests.adapters import HTTPAdapter


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(bytes(100000))

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
session = requests.Session()
session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=2, pool_block=True))
kept = []


def head_of(number):
    response = session.get(f"http://127.0.0.1:{server.server_port}/{number}", stream=True)
    kept.append(response)
    return next(response.iter_content(100))


threads = [threading.Thread(target=head_of, args=(n,), name=f"check-{n}", daemon=True) for n in range(5)]
for thread in threads:
    thread.start()
    time.sleep(0.02)
time.sleep(1.0)
server.shutdown()
