"""Each request waits until the client gives up looking for a server
(as in https://stackoverflow.com/questions/31030307).
truth: 3 threads `web_N` waited 1.2 s in each of 9 calls in `find_user`; nobody listens."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from pymongo import MongoClient
from pymongo.errors import ServerSelectionTimeoutError

client = MongoClient("mongodb://127.0.0.1:9", serverSelectionTimeoutMS=1200)
failed = 0
guard = threading.Lock()


def find_user(name):
    return client.app.users.find_one({"name": name})


def handle(name):
    global failed
    try:
        return find_user(name)
    except ServerSelectionTimeoutError:
        with guard:
            failed += 1
        return None


def main():
    started = time.monotonic()
    with ThreadPoolExecutor(3, thread_name_prefix="web") as pool:
        list(pool.map(handle, [f"user-{n}" for n in range(9)]))
    print(f"{failed} failed in {time.monotonic() - started:.1f} s")


main()
