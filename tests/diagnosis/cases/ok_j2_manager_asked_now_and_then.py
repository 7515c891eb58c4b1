"""Healthy look-alike of y13: workers count on their own, and tell the Manager the sum."""
import hashlib, multiprocessing as mp, queue, time


def count(results, stop, n):
    words = [f"w{i % 50}" for i in range(3000)]
    for part in range(8):
        mine = {}
        for word in words:
            mine[word] = mine.get(word, 0) + len(hashlib.sha256(word.encode() * 20).hexdigest())
        results[n, part] = sum(mine.values())
        if stop.is_set():
            return


if __name__ == "__main__":
    c = mp.get_context("fork")
    with c.Manager() as manager:
        results, stop = manager.dict(), manager.Event()
        ps = [c.Process(target=count, args=(results, stop, n), name=f"count-{n}") for n in range(2)]
        for p in ps:
            p.start()
        for p in ps:
            p.join()
        print("truth:", len(results))
