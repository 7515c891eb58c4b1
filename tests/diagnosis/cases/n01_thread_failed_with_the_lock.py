"""A thread fails while it has a lock.
After https://github.com/dbt-labs/dbt-core/issues/5602 and reports like it.

`sync` failed (ValueError) in `parse` while it had the lock taken in `refresh`;
`api-N` waited for it in `lookup` in vain."""
import threading, time
lock, table, gave_up = threading.Lock(), {}, []
threading.excepthook = lambda a: print("failed", a.exc_type.__name__)
def parse(text):
    return dict(pair.split("=") for pair in text.split(";"))
def refresh(texts):
    for text in texts:
        lock.acquire()
        table.update(parse(text))
        time.sleep(0.01)
        lock.release()
        time.sleep(0.05)
def lookup(key):
    if not lock.acquire(timeout=0.9):
        gave_up.append(key)
        return None
    try:
        return table.get(key)
    finally:
        lock.release()
def serve():
    for n in range(12):
        lookup("a")
        time.sleep(0.03)
        if len(gave_up) >= 6:
            return
t = threading.Thread(target=refresh, args=(["a=1;b=2", "a=2", "a=3;;b"],), name="sync")
t.start()
ts = [threading.Thread(target=serve, name=f"api-{n}") for n in range(3)]
for x in ts: x.start()
for x in ts: x.join()
print(len(gave_up), "given up")
