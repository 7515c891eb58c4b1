"""HEALTHY: three workers behind a proxy answer twelve clients in milliseconds."""
import threading
import time

import zmq

context = zmq.Context()


def worker():
    socket = context.socket(zmq.REP)
    socket.connect("inproc://work")
    while (request := socket.recv()) != b"stop":
        time.sleep(0.004)
        socket.send(request.upper())


def client(n):
    socket = context.socket(zmq.REQ)
    socket.connect("inproc://clients")
    for k in range(20):
        socket.send(b"job %d" % k)
        socket.recv()
        time.sleep(0.05)
    socket.close()


front = context.socket(zmq.ROUTER)
front.bind("inproc://clients")
back = context.socket(zmq.DEALER)
back.bind("inproc://work")
threading.Thread(target=zmq.proxy, args=(front, back), name="proxy", daemon=True).start()
for n in range(3):
    threading.Thread(target=worker, name=f"worker-{n}", daemon=True).start()
clients = [threading.Thread(target=client, args=(n,), name=f"client-{n}") for n in range(12)]
for c in clients:
    c.start()
for c in clients:
    c.join()
