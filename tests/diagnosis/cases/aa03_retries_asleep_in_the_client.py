"""A client with `Retry(backoff_factor=...)` sleeps inside the library while the upstream answers
503; nothing in the program's own code says so (https://github.com/psf/requests/issues/4949 is of
such retries; boto3's are the same).
truth: 4 `order-N` spend 0.7 s each asleep in urllib3's Retry.sleep, below `reserve`, three retries."""
import http.server
import threading

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry


class Busy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
session = requests.Session()
session.trust_env = False
retry = Retry(total=3, backoff_factor=0.1, status_forcelist=[503], backoff_jitter=0.0)
session.mount("http://", HTTPAdapter(max_retries=retry, pool_maxsize=8))
failed = []


def reserve():
    try:
        session.get(f"http://127.0.0.1:{server.server_port}/stock", timeout=5)
    except requests.exceptions.RetryError:
        failed.append(1)


def take_order():
    reserve()
    reserve()


threads = [threading.Thread(target=take_order, name=f"order-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("truth:", len(failed), "failed")
server.shutdown()
