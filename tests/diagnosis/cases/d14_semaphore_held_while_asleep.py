"""A semaphore of two is kept while its holder sleeps before a retry; everybody else waits.
truth: `sync_folder` keeps a permit 0.25 s asleep; `open_file` waits up to 0.5 s for one."""
import threading
import time

permits = threading.Semaphore(2)


def sync_folder():
    for _ in range(3):
        with permits:
            time.sleep(0.25)


def open_file():
    before = time.perf_counter()
    with permits:
        pass
    print(f"truth open_file waited {(time.perf_counter() - before) * 1e3:.0f} ms")


threads = [threading.Thread(target=sync_folder, name=f"sync-{n}") for n in range(3)]
threads += [threading.Thread(target=open_file, name=f"open-{n}") for n in range(4)]
for thread in threads:
    thread.start()
    time.sleep(0.01)
for thread in threads:
    thread.join()
