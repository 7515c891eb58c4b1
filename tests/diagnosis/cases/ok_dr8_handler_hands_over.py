"""CLEAN: watchdog's handler only puts the path into a queue, which four threads empty.
"""

import os
import queue
import tempfile
import threading
import time

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer


class Sync(FileSystemEventHandler):
    def __init__(self):
        self.seen = 0
        self.paths = queue.SimpleQueue()
        self.workers = [threading.Thread(target=self.run, name=f"up-{n}") for n in range(5)]
        for worker in self.workers:
            worker.start()

    def upload(self, path):
        time.sleep(0.06)

    def on_modified(self, event):
        if not event.is_directory:
            self.paths.put(event.src_path)

    def run(self):
        while self.paths.get():
            self.upload("")
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
    for _ in sync.workers:
        sync.paths.put("")


main()
