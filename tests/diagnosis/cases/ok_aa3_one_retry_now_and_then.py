"""Healthy: as aa03, but the upstream says 503 twice in a hundred calls; a retry succeeds."""
import http.server
import itertools
import threading
import time

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

asked = itertools.count(1)


class Stock(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(503 if next(asked) % 50 == 0 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stock)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
session = requests.Session()
session.trust_env = False
retry = Retry(total=3, backoff_factor=0.1, status_forcelist=[503])
session.mount("http://", HTTPAdapter(max_retries=retry, pool_maxsize=8))


def reserve():
    session.get(f"http://127.0.0.1:{server.server_port}/stock", timeout=5)


def take_orders():
    for _ in range(25):
        reserve()
        time.sleep(0.02)


threads = [threading.Thread(target=take_orders, name=f"order-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
server.shutdown()
