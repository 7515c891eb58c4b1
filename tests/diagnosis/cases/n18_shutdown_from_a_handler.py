"""shutdown() is called by a handler of the server itself.
After https://github.com/python/cpython/pull/130680 and the note in the documentation.

truth: `http` waits in `stop` for the end of its own serve_forever."""
import http.server, threading, urllib.request
class H(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200); self.end_headers()
        self.stop()
    def stop(self): self.server.shutdown()
    def log_message(self, *a): pass
s = http.server.HTTPServer(("127.0.0.1", 0), H)
t = threading.Thread(target=s.serve_forever, name="http", daemon=True); t.start()
try: urllib.request.urlopen(f"http://127.0.0.1:{s.server_port}/stop", data=b"", timeout=0.5).read()
except OSError as e: print(e)
t.join(1.3)
print("alive", t.is_alive())
