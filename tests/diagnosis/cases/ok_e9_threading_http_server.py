"""HEALTHY: ThreadingHTTPServer, 6 clients, answers take 10 to 25 ms, one keeps its connection."""
import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(0.01 + 0.015 * (self.path == "/b"))
        body = b"x" * 200
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def client(port, n):
    c = http.client.HTTPConnection("127.0.0.1", port)
    for k in range(25):
        c.request("GET", "/b" if k % 3 == 0 else "/a")
        c.getresponse().read()
        time.sleep(0.03)
    c.close()


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, name="accept", daemon=True).start()
threads = [threading.Thread(target=client, args=(server.server_port, n), name=f"client-{n}") for n in range(6)]
for t in threads:
    t.start()
for t in threads:
    t.join()
server.shutdown()
