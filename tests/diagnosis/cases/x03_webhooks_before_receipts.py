"""Three threads of a home-made job queue deliver slow webhooks; receipts wait behind them
(after reports of `queue.get(); job()` workers whose short jobs are late).
truth: `job-worker-N` are in `deliver_webhook`, 0.4 s in recv; `send_receipt` waits 0.7 s and more."""
import queue, socket, threading, time
import functools
jobs = queue.Queue()
def server():
    s = socket.create_server(("127.0.0.1", 18784))
    def one(c):
        c.recv(100); time.sleep(0.4); c.sendall(b"ok"); c.close()
    while True:
        c, _ = s.accept(); threading.Thread(target=one, args=(c,), daemon=True).start()
threading.Thread(target=server, name="upstream", daemon=True).start()
late = []
def deliver_webhook(n):
    with socket.create_connection(("127.0.0.1", 18784)) as c:
        c.sendall(b"hook"); c.recv(10)
def send_receipt(t):
    late.append(time.monotonic() - t); time.sleep(0.005)
def work():
    while (job := jobs.get()) is not None:
        job()
ws = [threading.Thread(target=work, name=f"job-worker-{i}") for i in range(3)]
[w.start() for w in ws]
def shop():
    for i in range(30):
        jobs.put(functools.partial(deliver_webhook, i) if i % 2 else functools.partial(send_receipt, time.monotonic()))
        time.sleep(0.04)
def checkout():
    for i in range(10):
        jobs.put(functools.partial(send_receipt, time.monotonic())); time.sleep(0.12)
ss = [threading.Thread(target=shop, name="shop"), threading.Thread(target=checkout, name="checkout")]
[s.start() for s in ss]; [s.join() for s in ss]
for _ in ws: jobs.put(None)
[w.join() for w in ws]
print(max(late))
