"""HEALTHY: a sender collects what came within 50 ms and sends it at once; nobody waits for it."""
import queue
import threading
import time

records = queue.Queue(1000)
sent = []


def collect():
    batch = [records.get()]
    end = time.monotonic() + 0.05
    while batch[-1] is not None and (left := end - time.monotonic()) > 0:
        try:
            batch.append(records.get(timeout=left))
        except queue.Empty:
            break
    return batch


def run():
    while True:
        batch = collect()
        time.sleep(0.01)
        sent.extend(batch)
        if batch[-1] is None:
            return


def handle(number):
    for step in range(50):
        records.put((number, step))
        time.sleep(0.015)


sender = threading.Thread(target=run, name="sender")
sender.start()
threads = [threading.Thread(target=handle, args=(n,), name=f"web-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
records.put(None)
sender.join()
print(len(sent))
