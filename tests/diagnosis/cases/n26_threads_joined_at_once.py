"""Each thread is joined before the next one is started.
After questions about threads that take as long as none.

truth: `fetch_all` starts and joins 10 threads of 130 ms one by one."""
import threading, time
def fetch(n): time.sleep(0.13)
def fetch_all():
    for n in range(10):
        t = threading.Thread(target=fetch, args=(n,))
        t.start()
        t.join()
fetch_all()
