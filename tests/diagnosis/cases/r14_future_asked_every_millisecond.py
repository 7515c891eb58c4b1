"""Main asks a future whether it is done, once in a millisecond
(https://github.com/idaholab/raven/pull/2580).
truth: MainThread sleeps 1 ms some 1,000 times in `wait_for`, until `simulate` has ended after 1.3 s."""
import time
from concurrent.futures import ThreadPoolExecutor


def simulate():
    time.sleep(1.3)
    return 42


def wait_for(future):
    while not future.done():
        time.sleep(0.001)
    return future.result()


with ThreadPoolExecutor(1) as pool:
    print(wait_for(pool.submit(simulate)))
