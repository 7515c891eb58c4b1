"""A promise is never kept, since the worker swallows the exception.
After https://github.com/camunda-community-hub/pyzeebe/issues/80.

truth: `MainThread` waits 1.5 s in `Promise.get`; `db`, which took the job, is idle in Queue.get again."""
import queue, threading
jobs = queue.Queue()
class Promise:
    def __init__(self): self.done, self.value = threading.Event(), None
    def set(self, v): self.value = v; self.done.set()
    def get(self, t): 
        if not self.done.wait(t): raise TimeoutError
        return self.value
def query(key): return {"a": 1}[key]
def db():
    while True:
        key, promise = jobs.get()
        try: promise.set(query(key))
        except Exception: pass
def ask(key):
    p = Promise(); jobs.put((key, p)); return p.get(1.5)
threading.Thread(target=db, name="db", daemon=True).start()
print(ask("a"))
try: ask("b")
except TimeoutError: print("timed out")
