"""Healthy: as aa02, but the session keeps a connection for each thread; each connects once."""
import http.server
import threading
import time

import requests
from requests.adapters import HTTPAdapter


class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def setup(self):
        time.sleep(0.025)
        super().setup()

    def do_GET(self):
        time.sleep(0.005)
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
session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=12))


def fetch():
    return session.get(url, timeout=5).text


def work():
    for _ in range(20):
        fetch()
        time.sleep(0.002)


threads = [threading.Thread(target=work, name=f"worker-{n}") for n in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
server.shutdown()
