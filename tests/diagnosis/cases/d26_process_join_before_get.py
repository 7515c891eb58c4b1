"""Process.join before the queue is read: the child's feeder thread stands in a full pipe (python/cpython#73983).
truth: MainThread waits 1.2 s in Process.join in `collect`; the child writes 1 MB that nobody reads."""
import multiprocessing as mp


def work(results):
    results.put(b"x" * 1_000_000)


def collect():
    results = mp.Queue()
    child = mp.Process(target=work, args=(results,))
    child.start()
    child.join(1.2)
    print("truth alive", child.is_alive(), len(results.get()))
    child.join()


if __name__ == "__main__":
    mp.set_start_method("fork")
    collect()
