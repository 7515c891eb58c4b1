"""HTTP/1.1 without a Content-Length: the client reads to an end that does not come.
After https://github.com/python/cpython/issues/85300 and reports of http.server that hangs.

truth: `MainThread` waits 1.5 s in `get`, while the thread that serves waits for the next request."""
import http.client, http.server, threading
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 1.5
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Type", "text/plain"); self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
threading.Thread(target=s.serve_forever, daemon=True, name="server").start()
def get():
    c = http.client.HTTPConnection("127.0.0.1", s.server_port); c.request("GET", "/"); return c.getresponse().read()
print(get())
