"""A REP worker takes a request, fails and never answers: its REQ client waits for ever
(after https://stackoverflow.com/questions/3692854/how-should-a-zeromq-worker-safely-hang-up).
truth: `ask` (main) waits 1.2 s in recv for the answer of thread `worker`, which failed with KeyError."""
import threading

import zmq

context = zmq.Context()
ready = threading.Event()


def lookup(request):
    return {"rates": b"3"}[request["kind"]]


def worker():
    socket = context.socket(zmq.REP)
    socket.bind("inproc://rates")
    ready.set()
    while True:
        request = socket.recv_json()
        socket.send(lookup(request))


def ask(socket, kind):
    socket.send_json({"kind": kind})
    return socket.recv()


threading.excepthook = lambda args: None
threading.Thread(target=worker, name="worker", daemon=True).start()
ready.wait()
client = context.socket(zmq.REQ)
client.setsockopt(zmq.RCVTIMEO, 1200)
client.setsockopt(zmq.LINGER, 0)
client.connect("inproc://rates")
print("truth", ask(client, "rates"))
try:
    ask(client, "limits")
except zmq.Again:
    print("truth no answer")
