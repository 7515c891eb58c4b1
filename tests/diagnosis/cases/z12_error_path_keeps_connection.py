"""A pool made of a queue.Queue: a statement that fails never gives its connection back.
truth: `query` takes a connection from the Queue-made pool and does not put it back when the statement fails;
after three failures all workers wait in `pool.get` (0.6 s each) and raise Empty."""
import queue
import random
import threading
import time

pool = queue.Queue()
for n in range(3):
    pool.put({"id": n})


def execute(connection, statement):
    time.sleep(0.02)
    if "bad" in statement:
        raise RuntimeError("syntax error")
    return len(statement)


def query(statement):
    connection = pool.get(timeout=0.6)
    result = execute(connection, statement)
    pool.put(connection)
    return result


def worker(seed, stats):
    rnd = random.Random(seed)
    for k in range(12):
        try:
            query("bad" if rnd.random() < 0.12 else "select 1")
            stats["ok"] += 1
        except RuntimeError:
            stats["failed"] += 1
        except queue.Empty:
            stats["empty"] += 1
            if stats["empty"] > 9:
                return
        time.sleep(0.01)


stats = {"ok": 0, "failed": 0, "empty": 0}
threads = [threading.Thread(target=worker, args=(n, stats), name=f"web-{n}") for n in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(stats)
