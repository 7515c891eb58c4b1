"""A reloader looks at the time of all files again and again, without a pause.
truth: `watch` computes all the time in os.stat; the threads that serve wait for the GIL."""
import os
import threading
import time


def watch(paths, stop):
    seen = {}
    while time.monotonic() < stop:
        for path in paths:
            changed = os.stat(path).st_mtime
            if seen.setdefault(path, changed) != changed:
                print("reload")


def serve(stop):
    while time.monotonic() < stop:
        time.sleep(0.005)


stop = time.monotonic() + 1.5
paths = [os.__file__, threading.__file__, __file__]
watcher = threading.Thread(target=watch, args=(paths, stop), name="reloader")
watcher.start()
serve(stop)
watcher.join()
