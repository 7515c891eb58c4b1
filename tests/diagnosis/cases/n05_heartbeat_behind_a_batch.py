"""A consumer handles each batch while it has the lock of its connection, which the heartbeat
needs, too; the broker outside counts it as dead. After
https://github.com/dpkp/kafka-python/issues/1896: `heartbeat` waits 0.4 s each time for the lock
that `consume` has, asleep in `store`.
"""
import json
import socket
import subprocess
import sys
import threading
import time

BROKER = """
import json, socketserver, sys
class Broker(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            asked = json.loads(line)["do"]
            answer = {"records": list(range(8))} if asked == "poll" else {"ok": True}
            self.wfile.write(json.dumps(answer).encode() + b"\\n")
server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Broker)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rwb")
        self.lock = threading.RLock()

    def ask(self, what):
        with self.lock:
            self.file.write(json.dumps({"do": what}).encode() + b"\n")
            self.file.flush()
            return json.loads(self.file.readline())


def store(record):
    time.sleep(0.06)


def heartbeat(connection, stop):
    while not stop.wait(0.1):
        connection.ask("heartbeat")


def consume(connection, batches):
    for _ in range(batches):
        with connection.lock:
            for record in connection.ask("poll")["records"]:
                store(record)
        time.sleep(0.01)


broker = subprocess.Popen(
    [sys.executable, "-I", "-S", "-c", BROKER], stdout=subprocess.PIPE, text=True
)
connection, stop = Connection(int(broker.stdout.readline())), threading.Event()
beat = threading.Thread(target=heartbeat, args=(connection, stop), name="heartbeat")
beat.start()
consume(connection, 6)
stop.set()
beat.join()
broker.kill()
broker.wait()
broker.stdout.close()
