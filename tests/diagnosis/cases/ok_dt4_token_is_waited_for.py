"""As dt09, with a condition; and calls that each try again after a pause of their own."""

import random
import threading
import time


class Tokens:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.expires, self.is_asked = 0.0, False

    def get(self) -> None:
        with self.changed:
            while self.expires < time.monotonic():
                if self.is_asked:
                    self.changed.wait()
                    continue
                self.is_asked = True
                self.changed.release()
                time.sleep(0.05)
                self.changed.acquire()
                self.expires, self.is_asked = time.monotonic() + 0.8, False
                self.changed.notify_all()


def call(chosen: random.Random) -> None:
    time.sleep(0.02)
    if chosen.random() < 0.03:
        raise ConnectionError


def with_retries(chosen: random.Random) -> None:
    for attempt in range(5):
        try:
            return call(chosen)
        except ConnectionError:
            time.sleep(0.05 * 2**attempt)


def serve(seed: int) -> None:
    chosen = random.Random(seed)
    for _ in range(40):
        tokens.get()
        with_retries(chosen)


tokens = Tokens()
threads = [threading.Thread(target=serve, args=(i,), name=f"request-{i}") for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
