"""HEALTHY: 8 workers with a requests session of their own ask a server that answers 503 now and then; they back off."""
import itertools
import queue
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

JOBS, DONE = queue.Queue(50), []
COUNT = itertools.count()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one piece, which no kernel holds back

    def do_GET(self):
        time.sleep(0.05)
        body = b"[1, 2, 3]"
        self.send_response(503 if next(COUNT) % 17 == 0 else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def fetch(session, url):
    pause = 0.05
    for _ in range(5):
        answer = session.get(url, timeout=5)
        if answer.ok:
            return answer.json()
        time.sleep(pause * random.uniform(0.8, 1.2))
        pause *= 2
    raise RuntimeError(url)


def worker(url):
    with requests.Session() as session:
        while (n := JOBS.get()) is not None:
            DONE.append(fetch(session, f"{url}/{n}"))


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="server").start()
    url = f"http://127.0.0.1:{server.server_port}"
    threads = [threading.Thread(target=worker, args=(url,), name=f"worker-{n}") for n in range(8)]
    for thread in threads:
        thread.start()
    for n in range(240):
        JOBS.put(n)
    for _ in threads:
        JOBS.put(None)
    for thread in threads:
        thread.join()
    server.shutdown()


main()
