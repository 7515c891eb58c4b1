"""stop() sets a flag, but wakes nobody, and then joins the worker
(https://github.com/ggozad/haiku.rag/pull/391).
truth: `stop` waits 1.2 s in Thread.join for `indexer`, which sleeps in Condition.wait in `run`."""
import threading
import time


class Indexer(threading.Thread):
    def __init__(self):
        super().__init__(name="indexer", daemon=True)
        self.cond = threading.Condition()
        self.todo, self.stopping = [], False

    def run(self):
        while not self.stopping:
            with self.cond:
                while not self.todo:
                    self.cond.wait()
                document = self.todo.pop()
            time.sleep(document)

    def add(self, document):
        with self.cond:
            self.todo.append(document)
            self.cond.notify()

    def stop(self):
        self.stopping = True
        self.join(1.2)


indexer = Indexer()
indexer.start()
for _ in range(3):
    indexer.add(0.03)
time.sleep(0.2)
indexer.stop()
