"""A process joins a child that waits for the settings which are sent only afterwards.
truth: the parent waits in `child.wait()`-like join for the child, while the child waits in recv for the
configuration that the parent sends only after join (time-out 2 s)."""
import multiprocessing
import threading
import time


def worker(connection):
    settings = connection.recv()
    time.sleep(0.05)
    connection.send(settings["n"] * 2)


def start(settings):
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.Process(target=worker, args=(theirs,), name="worker")
    child.start()
    child.join(2)
    ours.send(settings)
    result = ours.recv()
    child.join()
    return result


def spinner(stop):
    while not stop.wait(0.1):
        pass


if __name__ == "__main__":
    stop = threading.Event()
    s = threading.Thread(target=spinner, args=(stop,), name="spinner")
    s.start()
    print(start({"n": 21}))
    stop.set()
    s.join()
