"""All threads of waitress call a slow upstream; the health check queues
(https://github.com/official-stockfish/fishtest/issues/2055 has the stacks of such a server).
truth: 4 `waitress-N` are in `search`, 0.4 s in recv; `health` waits up to 0.8 s for one of them."""
import http.client, socket, threading, time
from flask import Flask
from waitress.server import create_server
def upstream():
    s = socket.create_server(("127.0.0.1", 18783))
    def one(c): c.recv(10); time.sleep(0.4); c.sendall(b"x"); c.close()
    while True:
        c, _ = s.accept(); threading.Thread(target=one, args=(c,), daemon=True).start()
threading.Thread(target=upstream, daemon=True, name="upstream").start()
app = Flask(__name__)
@app.get("/search")
def search():
    with socket.create_connection(("127.0.0.1", 18783)) as c:
        c.sendall(b"q"); c.recv(10)
    return "found"
@app.get("/health")
def health(): return "ok"
srv = create_server(app, host="127.0.0.1", port=18782, threads=4)
threading.Thread(target=srv.run, name="waitress-main", daemon=True).start()
def client(path, n):
    c = http.client.HTTPConnection("127.0.0.1", 18782)
    for _ in range(n): c.request("GET", path); c.getresponse().read(); time.sleep(0.02)
ts = [threading.Thread(target=client, args=("/search", 5), name=f"user-{i}") for i in range(8)]
ts += [threading.Thread(target=client, args=("/health", 6), name=f"probe-{i}") for i in range(2)]
[t.start() for t in ts]; [t.join() for t in ts]
