"""A log handler writes to a TCP socket; its server reads slowly, and all threads that log wait
(https://github.com/klynch/python-logstash-handler/issues/3).
truth: 6 threads `job-N` wait for the handler's lock in `work`; its holder stands in sendall in `emit` until the log server reads on."""
import logging
import socket
import subprocess
import sys
import threading
import time

SERVER = """
import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1], flush=True)
c = s.accept()[0]
while c.recv(8192): time.sleep(0.02)
"""


class LogstashHandler(logging.Handler):
    def __init__(self, port):
        super().__init__()
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)

    def emit(self, record):
        self.sock.sendall(self.format(record).encode() + b"\n")


def work(number):
    for n in range(10):
        time.sleep(0.005)
        log.info("job %d step %d %s", number, n, "x" * 12_000)


server = subprocess.Popen([sys.executable, "-S", "-c", SERVER], stdout=subprocess.PIPE)
log = logging.getLogger("app")
log.setLevel(logging.INFO)
log.addHandler(LogstashHandler(int(server.stdout.readline())))
begun = time.perf_counter()
threads = [threading.Thread(target=work, args=(n,), name=f"job-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"truth {time.perf_counter() - begun:.2f} s instead of 0.06 s")
server.kill()
server.wait()
