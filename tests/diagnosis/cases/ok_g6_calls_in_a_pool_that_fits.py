"""HEALTHY: four threads call `submit(...).result()`, five workers, a metrics job now and then."""
import threading, time
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(5, thread_name_prefix="io")
def fetch(): time.sleep(0.03)
def flush(): time.sleep(0.1)
def request():
    for _ in range(40): pool.submit(fetch).result()
def metrics():
    for _ in range(8): pool.submit(flush); time.sleep(0.2)
ts = [threading.Thread(target=request, name=f"req-{i}") for i in range(4)] + [threading.Thread(target=metrics, name="metrics")]
[t.start() for t in ts]; [t.join() for t in ts]
