"""A plug-in in a worker asks the main thread to run a call-back and waits for it, while the main thread
waits for the worker's result (https://github.com/home-assistant/core/issues/45795, another way round).
truth: MainThread waits in Future.result in `open_document` for `load`, which waits in `Event.wait` of
`ask_main` for a call-back that only MainThread runs; 1.2 s until the event's time-out."""
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

callbacks = queue.Queue()
pool = ThreadPoolExecutor(3, thread_name_prefix="plugin")


def ask_main(question):
    done, box = threading.Event(), []
    callbacks.put((question, done, box))
    done.wait(1.2)
    return box[0] if box else None


def load(name):
    time.sleep(0.02)
    if name == "locked.doc":
        return ask_main("password?")
    return name


def open_document(name):
    return pool.submit(load, name).result()


def run_callbacks():
    while True:
        try:
            question, done, box = callbacks.get_nowait()
        except queue.Empty:
            return
        box.append("secret")
        done.set()


def index(stop):
    n = 0
    while not stop.wait(0.02):
        n += pool.submit(len, "x" * 100).result()


def main():
    stop = threading.Event()
    indexer = threading.Thread(target=index, args=(stop,), name="indexer")
    indexer.start()
    for name in ["a.doc", "b.doc", "c.doc", "locked.doc", "d.doc"]:
        run_callbacks()
        print(open_document(name))
        time.sleep(0.05)
    run_callbacks()
    stop.set()
    indexer.join()
    pool.shutdown()


main()
