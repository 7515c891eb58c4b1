"""`sys.exit()` in the main thread does not end the program: a thread that is no daemon goes on for ever
(https://mcmap.net/q/263172).

truth: main has ended; the interpreter waits at its exit for `mailer` (`deliver`, waiting in `outbox.get` for mail that
nobody will put any more): tell it to end, or make it a daemon.
"""
import os
import queue
import signal
import subprocess
import sys
import threading
import time

outbox: "queue.Queue[str]" = queue.Queue()


def deliver() -> None:
    while True:
        letter = outbox.get()
        time.sleep(0.05)
        print("sent", letter)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    subprocess.Popen(["sh", "-c", f"sleep 2.5; kill -TERM {os.getpid()}"])  # the impatient operator
    thread = threading.Thread(target=deliver, name="mailer")
    thread.start()
    for number in range(3):
        outbox.put(f"letter {number}")
    sys.exit()


main()
