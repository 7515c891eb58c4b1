"""HEALTHY: a batch of two kinds of jobs in one queue for three threads; main waits for all."""
import queue, socket, threading, time
def up():
    s = socket.create_server(("127.0.0.1", 18787))
    def one(c): c.recv(9); time.sleep(0.03); c.sendall(b"k"); c.close()
    while True: c, _ = s.accept(); threading.Thread(target=one, args=(c,), daemon=True).start()
threading.Thread(target=up, daemon=True).start()
time.sleep(0.05)
q = queue.Queue()
def resize(n):
    with socket.create_connection(("127.0.0.1", 18787)) as c: c.sendall(b"q"); c.recv(9)
def upload(n):
    with socket.create_connection(("127.0.0.1", 18787)) as c: c.sendall(b"u"); c.recv(9)
def work():
    while True:
        f, n = q.get()
        try: f(n)
        finally: q.task_done()
for i in range(3): threading.Thread(target=work, daemon=True, name=f"worker-{i}").start()
for i in range(120): q.put((resize if i % 2 else upload, i))
q.join()
