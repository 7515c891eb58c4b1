"""HTTP/1.1 on a server of one thread: it reads on at one client's connection, and the others wait
(https://github.com/python/cpython/issues/76699).
truth: `http` reads the next request line of the first client for 1.2 s; three others wait for it."""
import http.client
import http.server
import subprocess
import sys
import threading
import time

BROWSER = """
import http.client, sys, time
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1])); c.request("GET", "/"); c.getresponse().read()
print("loaded", flush=True); time.sleep(1.2); c.close()
"""


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


def get():
    begun = time.perf_counter()
    client = http.client.HTTPConnection("127.0.0.1", server.server_port)
    client.request("GET", "/", headers={"Connection": "close"})
    client.getresponse().read()
    print(f"truth {time.perf_counter() - begun:.2f} s")


server = http.server.HTTPServer(("127.0.0.1", 0), Page)
threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
get()
browser = subprocess.Popen([sys.executable, "-S", "-c", BROWSER, str(server.server_port)], stdout=subprocess.PIPE)
browser.stdout.readline()
clients = [threading.Thread(target=get, name=f"client-{n}") for n in range(3)]
for client in clients:
    client.start()
for client in clients:
    client.join()
browser.wait()
server.shutdown()
