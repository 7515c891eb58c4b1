"""Pool.map over small items costs more than the loop: the items are pickled there and back
(https://techfeed.net/es/456103/).
truth: Pool.map of `add_one` over 150,000 lists: the main process spends its time in pickling and unpickling (and the pipes), the workers compute for a fraction; a plain loop takes less."""
import multiprocessing
import time


def add_one(row):
    return [value + 1 for value in row]


def main():
    rows = [list(range(20)) for _ in range(150_000)]
    begun = time.perf_counter()
    for row in rows:
        add_one(row)
    loop = time.perf_counter() - begun
    begun = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(add_one, rows)
    print(f"truth loop {loop:.2f} s, pool {time.perf_counter() - begun:.2f} s")


if __name__ == "__main__":
    main()
