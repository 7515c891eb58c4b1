"""http.server.HTTPServer answers one request at a time, and a report holds up all others
(https://docs.python.org/3/library/http.server.html, ThreadingHTTPServer).
truth: HTTPServer serves with one thread; `do_GET` of /report sleeps 0.15 s in `load_rows`, so quick /ping of
the other clients wait for it in recv (`ask`)."""
import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


def load_rows():
    time.sleep(0.15)
    return [{"n": n, "v": n * 3} for n in range(200)]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/report":
            body = str(sum(r["v"] for r in load_rows())).encode()
        else:
            body = b"pong"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def ask(port, path):
    c = http.client.HTTPConnection("127.0.0.1", port)
    c.request("GET", path)
    try:
        return c.getresponse().read()
    finally:
        c.close()


def browser(port, path, n):
    worst = 0
    for _ in range(n):
        t = time.monotonic()
        ask(port, path)
        worst = max(worst, time.monotonic() - t)
        time.sleep(0.01)
    print(path, "worst", round(worst, 3))


server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
port = server.server_port
clients = [threading.Thread(target=browser, args=(port, "/report", 6)) for _ in range(2)]
clients += [threading.Thread(target=browser, args=(port, "/ping", 8)) for _ in range(3)]
for t in clients:
    t.start()
for t in clients:
    t.join()
server.shutdown()
