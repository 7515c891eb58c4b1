"""A whois server takes the connection and says nothing; recv has no time-out
(https://github.com/joepie91/python-whois/pull/75).
truth: `whois-1` stands in recv in `query` for `mute.example` from 0.2 s until the server closes at 1.8 s; MainThread joins it meanwhile."""
import queue
import socket
import subprocess
import sys
import threading
import time

SERVER = """
import socket, threading, time
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True)
def answer(c):
    name = c.recv(100)
    time.sleep(1.8 if b"mute" in name else 0.03)
    if b"mute" not in name: c.sendall(b"owner: somebody")
    c.close()
while True: threading.Thread(target=answer, args=(s.accept()[0],), daemon=True).start()
"""
names = queue.Queue()
for n in range(12):
    names.put(f"host{n}.example" if n != 5 else "mute.example")


def query(name):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(name.encode() + b"\r\n")
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    return answer


def work():
    while True:
        try:
            name = names.get_nowait()
        except queue.Empty:
            return
        begun = time.perf_counter()
        answer = query(name)
        if time.perf_counter() - begun > 1:
            print("truth", name, answer, f"{time.perf_counter() - begun:.2f} s")


server = subprocess.Popen([sys.executable, "-S", "-c", SERVER], stdout=subprocess.PIPE)
port = int(server.stdout.readline())
threads = [threading.Thread(target=work, name=f"whois-{n}") for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
server.kill()
server.wait()
