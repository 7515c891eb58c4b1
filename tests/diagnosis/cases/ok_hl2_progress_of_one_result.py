"""HEALTHY: main waits for one result with a time-out, shows how far it is, and waits on."""
import time
from concurrent.futures import ThreadPoolExecutor

done = []


def export():
    for n in range(50):
        time.sleep(0.05)
        done.append(n)
    return len(done)


with ThreadPoolExecutor(1) as pool:
    future = pool.submit(export)
    while True:
        try:
            print("exported", future.result(timeout=0.25))
            break
        except TimeoutError:
            print(f"{len(done) * 2} %")
