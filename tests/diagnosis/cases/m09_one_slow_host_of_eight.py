"""All wait for the slowest: one host of eight answers late, no time-out.
After https://github.com/globocom/hlsclient/issues/42. `status_page` waits 1.2 s for
`probe` of one host, which stands in `recv`; the other seven jobs took 30 ms."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed


def server(sock):
    def one(conn):
        name = conn.recv(100)
        time.sleep(1.2 if name == b"db-7" else 0.03)
        conn.sendall(b"ok")
        conn.close()

    while True:
        try:
            conn, _ = sock.accept()
        except OSError:
            return
        threading.Thread(target=one, args=(conn,), daemon=True).start()


def probe(port, name):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(name.encode())
        return name, s.recv(10)


def status_page(port):
    page = {}
    with ThreadPoolExecutor(8, thread_name_prefix="probe") as pool:
        jobs = [pool.submit(probe, port, f"db-{n}") for n in range(8)]
        for job in as_completed(jobs):
            name, state = job.result()
            page[name] = state
    return page


sock = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=server, args=(sock,), daemon=True, name="server").start()
for _ in range(2):
    began = time.monotonic()
    page = status_page(sock.getsockname()[1])
    print(len(page), f"hosts in {time.monotonic() - began:.2f} s")
    time.sleep(0.1)
sock.close()
