"""One thread asks for a new token; the others sleep 0.6 s and look again, though it is there after 0.2 s
(https://github.com/IBM/python-sdk-core/pull/57).
truth: 7 threads `request-N` sleep 0.6 s in `Tokens.refresh`, each time 0.4 s longer than `Tokens.request` takes.
"""

import threading
import time


class Tokens:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.expires, self.is_asked = 0.0, False

    def request(self) -> None:
        time.sleep(0.2)
        self.expires = time.monotonic() + 0.3

    def refresh(self) -> None:
        while self.expires < time.monotonic():
            with self.lock:
                mine, self.is_asked = not self.is_asked, True
            if mine:
                self.request()
                self.is_asked = False
                return
            time.sleep(0.6)

    def get(self) -> None:
        if self.expires < time.monotonic():
            self.refresh()


def serve() -> None:
    for _ in range(25):
        tokens.get()
        time.sleep(0.01)


tokens = Tokens()
threads = [threading.Thread(target=serve, name=f"request-{i}") for i in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
