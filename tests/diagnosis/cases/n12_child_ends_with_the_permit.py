"""A child ends with the permit of a semaphore between processes.
After https://github.com/jonatanjacobsson/ifcpipeline/pull/28 and reports like it.

truth: `dl-1` and `dl-2` wait 1.2 s in `fetch`; `dl-0`, which had the permit, had ended with code 9."""
import multiprocessing as mp, os, time
def fetch(sem, i):
    if not sem.acquire(timeout=1.2):
        print(i, "gave up"); return
    if i == 0:
        time.sleep(0.1)
        os._exit(9)
    sem.release()
if __name__ == "__main__":
    c = mp.get_context("fork")
    sem = c.Semaphore(1)
    ps = []
    for i in range(3):
        p = c.Process(target=fetch, args=(sem, i), name=f"dl-{i}"); p.start(); ps.append(p)
        time.sleep(0.05)
    for p in ps: p.join()
