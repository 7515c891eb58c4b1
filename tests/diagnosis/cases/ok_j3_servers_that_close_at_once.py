"""Healthy look-alike of y15, y18 and y19: a forking, a threading and an asyncio server whose clients leave."""
import asyncio, http.client, http.server, socket, socketserver, threading, time


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


class Threading(socketserver.ThreadingMixIn, http.server.HTTPServer):
    pass


class Convert(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(10)
        time.sleep(0.02)
        self.request.sendall(b"done")


class Forking(socketserver.ForkingMixIn, socketserver.TCPServer):
    max_children = 6


def serve(server):
    t = threading.Thread(target=server.serve_forever, args=(0.05,), name="server")
    t.start()
    return t


a = Threading(("127.0.0.1", 0), Answer)
t = serve(a)
for _ in range(5):
    client = http.client.HTTPConnection(*a.server_address)
    for _ in range(3):
        client.request("GET", "/")
        client.getresponse().read()
    client.close()
a.shutdown(); a.server_close(); t.join()
b = Forking(("127.0.0.1", 0), Convert)
t = serve(b)


def ask():
    for _ in range(3):
        with socket.create_connection(b.server_address) as s:
            s.sendall(b"doc")
            s.recv(10)


clients = [threading.Thread(target=ask, name=f"client-{i}") for i in range(2)]
for c in clients:
    c.start()
for c in clients:
    c.join()
b.shutdown(); b.server_close(); t.join()


async def main():
    async def handle(reader, writer):
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for _ in range(5):
        writer.write(b"hello\n")
        await reader.readline()
        await asyncio.sleep(0.05)
    writer.close()
    server.close()
    await server.wait_closed()


asyncio.run(main())
