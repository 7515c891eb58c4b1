"""watchdog's observer calls a handler that uploads for 60 ms, and a file changes every 15 ms
(https://github.com/gorakhargosh/watchdog/issues/71 has such a thread).
truth: 39 of 150 changes are handled when the writer is done.
"""

import os
import tempfile
import threading
import time

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer


class Sync(FileSystemEventHandler):
    def __init__(self):
        self.seen = 0

    def upload(self, path):
        time.sleep(0.06)

    def on_modified(self, event):
        if not event.is_directory:
            self.upload(event.src_path)
            self.seen += 1


def writer(folder, n):
    for i in range(n):
        with open(os.path.join(folder, f"f{i}.txt"), "a") as f:
            f.write("x")
        time.sleep(0.015)


def main():
    folder = tempfile.mkdtemp()
    sync, observer = Sync(), Observer()
    observer.schedule(sync, folder)
    observer.start()
    w = threading.Thread(target=writer, args=(folder, 150), name="writer")
    w.start()
    w.join()
    behind = sync.seen
    time.sleep(1)
    print("truth seen", behind, "of 150;", sync.seen, "a second later")
    observer.stop()
    observer.join()


main()
