"""Threads stream answers through one client and read them slowly; its connections are used up
(https://github.com/openai/openai-python/issues/763).
truth: 2 connections of httpx's pool; each is kept 0.25 s, asleep in `translate`; the others wait in `complete`."""
import http.server
import threading
import time

import httpx


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "60000")
        self.end_headers()
        self.wfile.write(bytes(60000))

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
serving = threading.Thread(target=server.serve_forever, name="server")
serving.start()
client = httpx.Client(limits=httpx.Limits(max_connections=2), timeout=10, trust_env=False)


def translate(chunk):
    time.sleep(0.25)


def complete():
    with client.stream("GET", f"http://127.0.0.1:{server.server_port}/") as response:
        for number, chunk in enumerate(response.iter_bytes(30000)):
            if not number:
                translate(chunk)


threads = [threading.Thread(target=complete, name=f"chat-{n}") for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
client.close()
server.shutdown()
serving.join()
