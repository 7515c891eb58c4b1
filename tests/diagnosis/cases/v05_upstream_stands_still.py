"""All workers hang at once, since the service that they ask stands still
(after https://github.com/aio-libs/aiohttp/issues/3630).
truth: 5 workers stand in `fetch_price` for 1.5 s, and all go on at the same moment."""
import http.client
import os
import queue
import signal
import subprocess
import sys
import threading
import time

SERVER = """
import http.server, json
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps({"price": len(self.path)}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()
"""
JOBS, RESULTS = queue.Queue(), []


def fetch_price(connection, item):
    connection.request("GET", f"/price/{item}")
    return connection.getresponse().read()


def worker(port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while (item := JOBS.get()) is not None:
        RESULTS.append((item, fetch_price(connection, item)))
        sum(n * n for n in range(2000))
    connection.close()


def feed():
    for n in range(300):
        JOBS.put(n)
        time.sleep(0.008)


def main():
    child = subprocess.Popen([sys.executable, "-S", "-c", SERVER], stdout=subprocess.PIPE, text=True)
    port = int(child.stdout.readline())
    threads = [threading.Thread(target=worker, args=(port,), name=f"worker-{n}") for n in range(5)]
    feeder = threading.Thread(target=feed, name="feeder")
    for thread in (*threads, feeder):
        thread.start()
    time.sleep(0.6)
    os.kill(child.pid, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(child.pid, signal.SIGCONT)
    feeder.join()
    for _ in threads:
        JOBS.put(None)
    for thread in threads:
        thread.join()
    child.terminate()
    child.wait()


main()
