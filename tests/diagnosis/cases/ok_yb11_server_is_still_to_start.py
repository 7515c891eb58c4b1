"""A client tries again while its server is still starting, and gets through after three quarters of a second: nothing is wrong. Needs requests."""
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


def serve(port):
    time.sleep(0.7)
    server = HTTPServer(("127.0.0.1", port), Handler)
    server.handle_request()
    server.server_close()


with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
thread = threading.Thread(target=serve, args=(port,), name="server")
thread.start()
session = requests.Session()
session.mount("http://", HTTPAdapter(max_retries=Retry(connect=8, backoff_factor=0.1)))
print(session.get(f"http://127.0.0.1:{port}/").text)
thread.join()
