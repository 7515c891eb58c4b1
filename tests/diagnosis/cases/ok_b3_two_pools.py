"""HEALTHY: jobs of one pool wait for jobs of another one, which fits; results are saved in order."""
import random
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

dice = random.Random(1)
pages = ThreadPoolExecutor(4, thread_name_prefix="page")
images = ThreadPoolExecutor(8, thread_name_prefix="image")


def image(n):
    time.sleep(0.003)
    return n * n


def page(n):
    found = [images.submit(image, n + k) for k in range(2)]
    time.sleep(0.004)
    return sum(one.result() for one in found)


def main():
    total = 0
    for _ in range(25):
        jobs = [pages.submit(page, dice.randrange(100)) for _ in range(4)]
        for job in as_completed(jobs):
            total += job.result()
        time.sleep(0.01)
    pages.shutdown()
    images.shutdown()
    print(total)


main()
