"""The thread that feeds the workers dies of an exception; everybody else goes on waiting.
After https://github.com/tilezen/tilequeue/issues/131. `MainThread` waits 1.5 s in `collect`
for results, the workers for jobs: `enqueuer` had failed (KeyError) in `read_tiles`."""

import queue
import sys
import threading
import time

JOBS, RESULTS = queue.Queue(20), queue.Queue()
STOP = threading.Event()


def read_tiles():
    for number in range(40):
        record = {"zoom": 7, "row": number} if number < 9 else {"zoom": 7}
        yield record["zoom"], record["row"]


def enqueue():
    for tile in read_tiles():
        JOBS.put(tile)
        time.sleep(0.005)


def render():
    while (job := JOBS.get()) is not None:
        time.sleep(0.02)
        RESULTS.put(job)


def metrics():
    while not STOP.wait(0.1):
        print("queued", JOBS.qsize(), file=sys.stderr)


def collect():
    done = []
    try:
        while len(done) < 40:
            done.append(RESULTS.get(timeout=1.5))
    except queue.Empty:
        pass
    return done


def main():
    threading.excepthook = lambda args: print("thread failed:", args.exc_type.__name__)
    threads = [threading.Thread(target=render, name=f"render-{n}") for n in range(3)]
    threads.append(threading.Thread(target=metrics, name="metrics"))
    threads.append(threading.Thread(target=enqueue, name="enqueuer"))
    for thread in threads:
        thread.start()
    began = time.monotonic()
    print(len(collect()), f"results in {time.monotonic() - began:.1f} s")
    STOP.set()
    for _ in range(3):
        JOBS.put(None)


main()
