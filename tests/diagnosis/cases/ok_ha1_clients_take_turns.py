"""Healthy: a pool of four threads serves short requests with pauses in between."""
import socketserver
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="server")
    thread.start()
    for number in range(15):
        urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{number}").read()
        time.sleep(0.1)
    server.shutdown()
    thread.join()


main()
