"""A select loop sends with sendall to a client that does not read.
After https://github.com/python-zeroconf/python-zeroconf/pull/511 and reports like it.

truth: `reactor` stands 1.2 s in sendall in `send_all`; three others wait in `ping`."""
import selectors, socket, threading, time
srv = socket.create_server(("127.0.0.1", 0))
def send_all(c): c.sendall(b"x" * 8_000_000)
def reactor():
    sel = selectors.DefaultSelector(); sel.register(srv, selectors.EVENT_READ)
    while True:
        for key, _ in sel.select():
            if key.fileobj is srv:
                c, _ = srv.accept(); sel.register(c, selectors.EVENT_READ); continue
            d = key.fileobj.recv(100)
            if not d: sel.unregister(key.fileobj); key.fileobj.close(); continue
            send_all(key.fileobj) if d == b"big" else key.fileobj.sendall(b"ok")
threading.Thread(target=reactor, daemon=True, name="reactor").start()
def slow():
    with socket.create_connection(srv.getsockname()) as s:
        s.sendall(b"big"); time.sleep(1.2)
        n = 0
        while n < 8_000_000: n += len(s.recv(1 << 20))
def ping():
    with socket.create_connection(srv.getsockname()) as s:
        for _ in range(15): s.sendall(b"p"); s.recv(10); time.sleep(0.02)
ts = [threading.Thread(target=slow, name="slow")] + [threading.Thread(target=ping, name=f"ping-{n}") for n in range(3)]
for t in ts[1:]: t.start()
time.sleep(0.1); ts[0].start()
for t in ts: t.join()
