"""Twelve threads share a session that keeps two connections: the others are thrown away after
each request, and connect again (https://github.com/urllib3/urllib3/issues/384).
truth: `fetch` connects for a good part of its 120 calls, and waits 60 ms each time for the server's greeting."""
import http.server
import threading
import time

import requests
from requests.adapters import HTTPAdapter

connected = []


class Slow(http.server.BaseHTTPRequestHandler):
    """Each new connection costs 60 ms, as a TLS handshake over a distance does."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def setup(self):
        connected.append(1)
        time.sleep(0.06)
        super().setup()

    def do_GET(self):
        time.sleep(0.02)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 100


server = Server(("127.0.0.1", 0), Slow)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
session = requests.Session()
session.trust_env = False
session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=2))


def fetch():
    return session.get(url, timeout=5).text


def work():
    for _ in range(10):
        fetch()
        time.sleep(0.002)


threads = [threading.Thread(target=work, name=f"worker-{n}") for n in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("truth:", len(connected), "connections for 120 calls")
server.shutdown()
