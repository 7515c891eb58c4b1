"""One worker sends all mails, with a connection for each, and the server takes 0.5 s to greet.
truth: mails pile up: `mailer` stands in `send_mail`, in socket.recv_into."""
import queue
import smtplib
import socket
import subprocess
import sys
import threading
import time

SERVER = r"""
import socket, threading, time
def serve(c):
    f = c.makefile("rwb")
    time.sleep(0.5); f.write(b"220 hi\r\n"); f.flush()
    data = False
    for line in f:
        if data:
            if line == b".\r\n": data = False; f.write(b"250 ok\r\n"); f.flush()
            continue
        word = line[:4].upper()
        if word == b"DATA": data = True; f.write(b"354 go\r\n")
        elif word == b"QUIT": f.write(b"221 bye\r\n"); f.flush(); break
        else: f.write(b"250 ok\r\n")
        f.flush()
    c.close()
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept(); threading.Thread(target=serve, args=(c,), daemon=True).start()
"""
MAILS = queue.Queue()


def send_mail(port, to, text):
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.sendmail("shop@example.org", [to], f"Subject: hi\r\n\r\n{text}\r\n")


def mailer(port):
    while (mail := MAILS.get()) is not None:
        send_mail(port, *mail)
        MAILS.task_done()


def web(n):
    for k in range(40):
        time.sleep(0.05)
        MAILS.put((f"user{n}.{k}@example.org", "your order"))


def main():
    child = subprocess.Popen([sys.executable, "-S", "-c", SERVER], stdout=subprocess.PIPE, text=True)
    port = int(child.stdout.readline())
    threading.Thread(target=mailer, args=(port,), name="mailer", daemon=True).start()
    threads = [threading.Thread(target=web, args=(n,), name=f"web-{n}") for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    child.terminate()
    child.wait()


main()
