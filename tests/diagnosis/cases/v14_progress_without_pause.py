"""A progress thread draws as fast as it can while others download.
truth: `progress` computes all the time in `draw`; the `download_N` wait for the GIL."""
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor


class Progress:
    def __init__(self, total):
        self.total, self.done, self.out = total, 0, io.StringIO()
        self.thread = threading.Thread(target=self.draw, name="progress", daemon=True)
        self.thread.start()

    def draw(self):
        while self.done < self.total:
            self.out.seek(0)
            self.out.write(f"\r{self.done}/{self.total} [{'#' * self.done}]")


def download(progress, n):
    for _ in range(20):
        time.sleep(0.002 + n % 3 * 0.001)
        sum(range(3000))
    progress.done += 1


def main():
    progress = Progress(120)
    with ThreadPoolExecutor(6, "download") as pool:
        for n in range(120):
            pool.submit(download, progress, n)
    progress.thread.join()


main()
