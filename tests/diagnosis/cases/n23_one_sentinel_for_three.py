"""One last item for three consumers.
After https://github.com/NVIDIA/multi-storage-client/pull/178 and reports like it.

truth: `MainThread` gives up two joins of 0.8 s in `stop`; two consumers wait in Queue.get for ever."""
import multiprocessing as mp, time
def consume(q):
    while q.get() is not None: time.sleep(0.01)
def stop(q, ps):
    q.put(None)
    for p in ps: p.join(0.8)
    for p in ps:
        if p.is_alive(): p.terminate()
if __name__ == "__main__":
    c = mp.get_context("fork"); q = c.Queue()
    ps = [c.Process(target=consume, args=(q,), name=f"consumer-{n}") for n in range(3)]
    for p in ps: p.start()
    for i in range(20): q.put(i)
    time.sleep(0.1)
    stop(q, ps)
