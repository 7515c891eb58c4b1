"""Retries of urllib3 sleep in the workers of a small pool, and an order waits for one
(after reports of `Retry(backoff_factor=...)` in worker threads).
truth: both workers `push` are asleep in `push_metric`, 1.2 s each; `send_order` waits 2.4 s."""
import threading, time, http.server, urllib3
from concurrent.futures import ThreadPoolExecutor
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if self.path == "/metrics" else 200); self.send_header("content-length", "0"); self.end_headers()
    def log_message(self, *a): pass
srv = http.server.ThreadingHTTPServer(("127.0.0.1", 18785), H)
threading.Thread(target=srv.serve_forever, daemon=True, name="server").start()
http_ = urllib3.PoolManager(retries=urllib3.Retry(3, status_forcelist=[503], backoff_factor=0.2, raise_on_status=False))
def push_metric(n): http_.request("GET", "http://127.0.0.1:18785/metrics")
def send_order(t): http_.request("GET", "http://127.0.0.1:18785/order"); return time.monotonic() - t
with ThreadPoolExecutor(2, thread_name_prefix="push") as pool:
    for i in range(4): pool.submit(push_metric, i)
    late = [pool.submit(send_order, time.monotonic()).result() for _ in range(3)]
print(late); srv.shutdown()
