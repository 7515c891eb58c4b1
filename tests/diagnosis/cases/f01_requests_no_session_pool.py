"""A lock around a lazily refreshed token is kept during the request for it; all threads wait
(https://github.com/googleapis/google-auth-library-python/issues/1015).
truth: `refresh` has the lock 0.7 s in recv; 5 threads wait for it in `headers`."""
import http.server
import threading
import time

import requests


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.7 if self.path == "/token" else 0.01)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


class Credentials:
    def __init__(self):
        self.lock, self.token = threading.Lock(), None

    def refresh(self):
        self.token = requests.get(f"{base}/token").text

    def headers(self):
        with self.lock:
            if self.token is None:
                self.refresh()
            return {"Authorization": self.token}


def call(n):
    requests.get(f"{base}/{n}", headers=credentials.headers())


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
base = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, daemon=True, name="server").start()
credentials = Credentials()
threads = [threading.Thread(target=call, args=(n,), name=f"api-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
