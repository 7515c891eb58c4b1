"""`server_close` of a threading server joins its threads, and these wait for clients that keep their connections
(https://github.com/bboe/extended_http_server/pull/7).
truth: MainThread waits 1.2 s in `server_close` in `stop` for `Thread-N (process_request_thread)`, which waits in `readline` for
another request of a client that has kept its connection."""
import http.client, http.server, socketserver, threading, time


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


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    pass


def stop(server):
    server.shutdown()
    server.server_close()


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, args=(0.05,), name="server").start()
clients = []
for _ in range(3):
    client = http.client.HTTPConnection(*server.server_address)
    client.request("GET", "/")
    client.getresponse().read()
    clients.append(client)
began = time.monotonic()
stop(server)
print("truth: stopped after", time.monotonic() - began)
