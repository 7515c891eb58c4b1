"""Workers try again at once when a server says 429.
truth: 3 `worker-N` send hundreds of requests in `push`, without a pause."""
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

OPEN = time.monotonic() + 2.5


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202 if time.monotonic() > OPEN else 429)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def push(session, url, item):
    while True:
        answer = session.post(url, json=item, timeout=5)
        if answer.status_code != 429:
            return


def worker(url, n):
    with requests.Session() as session:
        for k in range(5):
            push(session, url, {"id": n * 10 + k})
            time.sleep(0.05)


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="server").start()
    url = f"http://127.0.0.1:{server.server_port}/items"
    threads = [threading.Thread(target=worker, args=(url, n), name=f"worker-{n}") for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.shutdown()


main()
