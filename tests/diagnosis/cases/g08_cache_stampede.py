"""An entry of a cache expires, and all requests compute it at once
(https://github.com/Gluejar/regluit/issues/1265).
truth: 10 threads compute the same feed in `build_feed` at the same time and share one GIL."""
import threading

cache = {}


def build_feed(key):
    rows = []
    for number in range(150_000):
        rows.append((number * 31 % 1009, f"{key}-{number}"))
    rows.sort()
    return rows[:10]


def get_feed(key):
    if key not in cache:
        cache[key] = build_feed(key)
    return cache[key]


threads = [threading.Thread(target=get_feed, args=("home",), name=f"req-{n}") for n in range(10)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
