"""A nightly job maps over all workers of a pool of processes; what users ask for waits behind it
(https://stackoverflow.com/questions/31711378).
truth: both processes are in `rebuild`, 0.3 s each; `search` of the threads `web-N` waits up to 1.2 s."""
import multiprocessing
import threading
import time


def rebuild(shard):
    time.sleep(0.3)


def search(word):
    return len(word)


def nightly(pool):
    pool.map(rebuild, range(10), chunksize=1)


def request(pool, times):
    began = time.monotonic()
    pool.apply(search, ("word",))
    times.append(time.monotonic() - began)


def main():
    times = []
    with multiprocessing.get_context("fork").Pool(2) as pool:
        night = threading.Thread(target=nightly, args=(pool,), name="nightly")
        night.start()
        time.sleep(0.1)
        web = [threading.Thread(target=request, args=(pool, times), name=f"web-{n}") for n in range(4)]
        for thread in web:
            thread.start()
            time.sleep(0.1)
        for thread in (night, *web):
            thread.join()
    print("truth", f"search {max(times):.2f} s")


if __name__ == "__main__":
    main()
