"""The parent waits for a message of a child that has failed.
After https://github.com/python/cpython/issues/83933. `ask` polls the pipe for 1.5 s; the
child `model` failed (ValueError) while loading, and the parent keeps the child's end of the
pipe open, so no end of file is seen."""

import multiprocessing as mp
import sys
import threading
import time


def load(path):
    raise ValueError(f"cannot read {path}")


def serve(conn):
    sys.stderr = open("/dev/null", "w")
    time.sleep(0.1)
    model = load("weights.bin")
    while True:
        conn.send(model[conn.recv()])


def ask(conn, question):
    conn.send(question)
    if not conn.poll(1.5):
        return None
    return conn.recv()


def ticker(stop):
    while not stop.wait(0.1):
        sum(range(2_000))


if __name__ == "__main__":
    ctx = mp.get_context("fork")
    ours, theirs = ctx.Pipe()
    child = ctx.Process(target=serve, args=(theirs,), name="model")
    child.start()
    stop = threading.Event()
    threading.Thread(target=ticker, args=(stop,), name="ticker").start()
    print("answer:", ask(ours, "what is it"), "exit code:", child.exitcode)
    stop.set()
