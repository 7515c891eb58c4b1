"""Each request makes a pool of processes and never closes it
(https://github.com/python/cpython/issues/76067 and reports of processes that pile up).
truth: `thumbnail` makes 8 pools of 2 processes; 16 children live to the end."""
import multiprocessing
import time

pools = []


def resize(number):
    return number


def thumbnail(number):
    pool = multiprocessing.get_context("fork").Pool(2)
    pools.append(pool)
    return pool.apply(resize, (number,))


if __name__ == "__main__":
    for number in range(8):
        thumbnail(number)
        time.sleep(0.05)
    print(f"truth {len(multiprocessing.active_children())} children")
