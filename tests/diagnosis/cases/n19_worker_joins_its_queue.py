"""A worker joins the queue whose item it works on.
After https://github.com/rwth-i6/sisyphus/pull/172 and reports like it.

truth: `worker-0` waits in Queue.join in `flush` for the item that it has itself."""
import queue, threading
q = queue.Queue()
def flush(): q.join()
def worker():
    while True:
        item = q.get()
        if item == "flush": flush()
        q.task_done()
threading.Thread(target=worker, name="worker-0", daemon=True).start()
for item in ["a", "b", "flush", "c"]: q.put(item)
done = threading.Event()
def wait_all(): q.join(); done.set()
threading.Thread(target=wait_all, name="stopper", daemon=True).start()
print("finished", done.wait(1.6))
