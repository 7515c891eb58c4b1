"""Six threads are joined, and one stands still.
After https://github.com/globocom/hlsclient/issues/42 and reports like it.

`collect` joins 6 threads; `node-4` stands 1.4 s in recv in `ask`, the others
ended within 50 ms."""
import socket, threading, time
def node(sock):
    conn, _ = sock.accept()
    n = int(conn.recv(10))
    time.sleep(1.4 if n == 4 else 0.04)
    conn.sendall(b"ok"); conn.close()
def ask(port, n, out):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"%d" % n)
        out[n] = s.recv(10)
def collect(port):
    out = {}
    ts = [threading.Thread(target=ask, args=(port, n, out), name=f"node-{n}") for n in range(6)]
    for t in ts: t.start()
    for t in ts: t.join()
    return out
sock = socket.create_server(("127.0.0.1", 0), backlog=50)
for _ in range(12):
    threading.Thread(target=node, args=(sock,), daemon=True).start()
for _ in range(2):
    began = time.monotonic()
    collect(sock.getsockname()[1])
    print(f"{time.monotonic() - began:.2f} s")
