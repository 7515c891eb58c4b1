"""A requests session that blocks when its two connections are in use, and eight threads
(https://github.com/psf/requests/issues/5228).
truth: 8 threads share 2 connections of urllib3's pool, each in use 0.15 s in `recv` in `price`."""
import http.server
import threading
import time

import requests
from requests.adapters import HTTPAdapter


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(0.15)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"42")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
session = requests.Session()
session.trust_env = False
session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=2, pool_block=True))


def price(item):
    return session.get(f"http://127.0.0.1:{server.server_port}/{item}").text


threads = [threading.Thread(target=price, args=(n,), name=f"quote-{n}") for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
session.close()
server.shutdown()
