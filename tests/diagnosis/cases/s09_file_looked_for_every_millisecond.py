"""A worker looks for a file every millisecond until it is there
(after reports of watchers that keep a core busy).
truth: `watcher` sleeps 1 ms some 1,000 times in `wait_for_file`."""
import os
import tempfile
import threading
import time

PATH = tempfile.mkdtemp() + "/ready"


def wait_for_file(path):
    while not os.path.exists(path):
        time.sleep(0.001)


watcher = threading.Thread(target=wait_for_file, args=(PATH,), name="watcher")
watcher.start()
time.sleep(1.4)
open(PATH, "w").close()
watcher.join()
