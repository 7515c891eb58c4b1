"""Workers count into a dict of a Manager, entry by entry: each access is a message to its process
(https://www.cyberangles.org/blog/using-multiprocessing-manager-list-instead-of-a-real-list-makes-the-calculation-take-ages/).
truth: 2 processes `count-N` spend nearly all their time in calls of `DictProxy` in `tally`, some thousands each."""
import multiprocessing as mp, time


def tally(counts, words):
    for word in words:
        counts[word] = counts.get(word, 0) + 1


if __name__ == "__main__":
    c = mp.get_context("fork")
    words = [f"w{i % 50}" for i in range(10000)]
    with c.Manager() as manager:
        counts = manager.dict()
        began = time.monotonic()
        ps = [c.Process(target=tally, args=(counts, words), name=f"count-{i}") for i in range(2)]
        for p in ps:
            p.start()
        for p in ps:
            p.join()
        print("truth: took", time.monotonic() - began, "for 40000 calls")
