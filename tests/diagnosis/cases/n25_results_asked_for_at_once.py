"""submit(...).result() in a loop: no two jobs at the same time.
After https://github.com/python/cpython/issues/86575 and questions like it.

truth: `download_all` waits for each of 10 jobs of 130 ms before it submits the next."""
import time
from concurrent.futures import ThreadPoolExecutor
def download(n): time.sleep(0.13); return n
def download_all():
    with ThreadPoolExecutor(8) as pool:
        return [pool.submit(download, n).result() for n in range(10)]
download_all()
