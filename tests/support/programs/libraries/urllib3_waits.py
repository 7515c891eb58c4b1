"""Two threads share a pool of one connection."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import urllib3


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(0.01)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def get(pool: urllib3.HTTPConnectionPool) -> None:
    pool.request("GET", "/")  #: lock wait: connection pool (urllib3) slots=1


with HTTPServer(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    port = server.server_port
    pool = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=1, block=True)
    with pool, ThreadPoolExecutor(2) as threads:
        list(threads.map(get, [pool, pool]))
    server.shutdown()
