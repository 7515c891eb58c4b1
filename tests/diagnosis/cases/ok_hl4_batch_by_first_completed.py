"""HEALTHY: a batch of jobs for six workers; main counts those that are done until none is left."""
import random
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

chance = random.Random(2)


def convert(seconds):
    time.sleep(seconds)


with ThreadPoolExecutor(6) as pool:
    left = {pool.submit(convert, chance.uniform(0.05, 0.3)) for _ in range(80)}
    count = 0
    while left:
        done, left = wait(left, timeout=0.2, return_when=FIRST_COMPLETED)
        count += len(done)
print(count)
