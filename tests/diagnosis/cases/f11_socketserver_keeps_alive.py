"""A server with one thread waits for the next request of an idle keep-alive connection
(https://hackernoon.com/chrome-preconnect-breaks-singly-threaded-servers-95944be16400).
truth: `server` stands in readline for a client that says nothing; `browser` waits 1 s for an answer."""
import http.server
import socket
import threading
import time
import urllib.request


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 1.2

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True, name="server").start()
idle = socket.create_connection(server.server_address)  # speculative, says nothing
time.sleep(0.1)
print(urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/").read())
