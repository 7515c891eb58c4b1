"""All workers wait for an event that a job in the queue behind them would set
(after reports of pools that stop when they are full).
truth: 2 workers of `jobs` wait 1.2 s in `wait_for_config`; `load_config` is queued behind them."""
import threading
from concurrent.futures import ThreadPoolExecutor

loaded = threading.Event()


def wait_for_config(number):
    return loaded.wait(1.2)


def load_config():
    loaded.set()


with ThreadPoolExecutor(2, "jobs") as pool:
    first = [pool.submit(wait_for_config, n) for n in range(2)]
    pool.submit(load_config)
    print("truth", [job.result() for job in first])
