"""A barrier of processes misses a party, which failed.
After https://github.com/OGGM/oggm/pull/1120 and reports of processes that wait for a failed one.

truth: `rank-0` and `rank-1` wait 1.4 s in `sync`; `rank-2` had failed with ValueError."""
import multiprocessing as mp, threading
def load_shard(n):
    if n == 2: raise ValueError("bad shard")
def sync(b):
    try: b.wait(1.4)
    except threading.BrokenBarrierError: print("broken")
def rank(b, n):
    load_shard(n); sync(b)
if __name__ == "__main__":
    c = mp.get_context("fork"); b = c.Barrier(3)
    ps = [c.Process(target=rank, args=(b, n), name=f"rank-{n}") for n in range(3)]
    for p in ps: p.start()
    for p in ps: p.join()
