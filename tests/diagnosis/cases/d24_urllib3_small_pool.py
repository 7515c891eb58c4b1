"""Six threads share a pool of one connection.
truth: the others wait up to 0.5 s in urllib3's `_get_conn`, called in `download`; the server takes 0.1 s."""
import http.server
import threading
import time

import urllib3

class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(0.1)
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"x" * 10)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"

pool = urllib3.HTTPConnectionPool("127.0.0.1", server.server_port, maxsize=1, block=True)


def download():
    pool.request("GET", "/")


threads = [threading.Thread(target=download, name=f"download-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
