"""A callback of the cache takes the session's lock while the cache's lock is held, and a request takes
them the other way round (https://github.com/rohanpm/more-executors/issues/98, https://github.com/dpkp/kafka-python/issues/1461).
truth: `http-N` has `Session.lock` and waits for `Cache.lock`; `evictor` has `Cache.lock` and waits for
`Session.lock`, 1.2 s until its time-out."""
import threading
import time


class Cache:
    def __init__(self):
        self.lock, self.items, self.on_evict = threading.RLock(), {}, None

    def put(self, key, value):
        with self.lock:
            self.items[key] = value

    def evict(self):
        with self.lock:
            for key in list(self.items)[:-5]:
                del self.items[key]
            time.sleep(0.03)
            self.on_evict()


class Session:
    def __init__(self, cache):
        self.lock, self.cache, self.seen = threading.Lock(), cache, 0
        cache.on_evict = self.forget

    def forget(self):
        if self.lock.acquire(timeout=1.2):
            self.seen = 0
            self.lock.release()

    def handle(self, key):
        with self.lock:
            self.seen += 1
            time.sleep(0.001)
            self.cache.put(key, self.seen)


def http(session, n):
    for k in range(60):
        session.handle((n, k))
        time.sleep(0.005)


def main():
    cache = Cache()
    session = Session(cache)
    threads = [threading.Thread(target=http, args=(session, n), name=f"http-{n}") for n in range(3)]
    for one in threads:
        one.start()
    time.sleep(0.15)
    evictor = threading.Thread(target=cache.evict, name="evictor")
    evictor.start()
    for one in [*threads, evictor]:
        one.join()
    print("truth", len(cache.items))


main()
