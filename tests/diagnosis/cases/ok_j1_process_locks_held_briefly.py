"""Healthy look-alike of y11 and y12: processes share a lock and a lock file, and have each for moments only."""
import fcntl, multiprocessing as mp, os, tempfile, time

PATH = os.path.join(tempfile.mkdtemp(), "index.lock")


def download():
    time.sleep(0.05)


def work(lock, total):
    for _ in range(12):
        download()
        with lock:
            total.value += 1
        with open(PATH, "a") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            f.write("x")


if __name__ == "__main__":
    c = mp.get_context("fork")
    lock, total = c.Lock(), c.Value("i", 0, lock=False)
    ps = [c.Process(target=work, args=(lock, total), name=f"tile-{i}") for i in range(3)]
    for p in ps:
        p.start()
    for p in ps:
        p.join()
    print("truth:", total.value)
