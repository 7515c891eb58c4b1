"""A pool of one connection, which an answer that nobody has read keeps."""

import contextlib
import functools
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import urllib3


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"late")

    def log_message(self, *_: object) -> None:
        pass


def wait(pool: urllib3.HTTPConnectionPool) -> None:
    with contextlib.suppress(urllib3.exceptions.EmptyPoolError):
        get = functools.partial(pool.request, "GET", "/", pool_timeout=0.01)
        get()  #: lock wait: connection pool (urllib3) slots=1


with HTTPServer(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    port = server.server_port
    pool = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=1, block=True)
    with pool:
        answer = pool.request("GET", "/", preload_content=False)
        wait(pool)
        answer.drain_conn()
    server.shutdown()
