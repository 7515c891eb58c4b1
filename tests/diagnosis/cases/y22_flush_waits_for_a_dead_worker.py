"""`logging.shutdown` flushes a handler whose worker has ended already, and nobody is left to tell that all is sent
(https://github.com/census-instrumentation/opencensus-python/pull/1112).
truth: MainThread waits 1.2 s in `Exporter.flush`, in `logging.shutdown`, for an event that only `exporter` sets, which `close` had ended;
it gives up."""
import atexit, logging, queue, threading, time


class Exporter(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records, self.sent = queue.Queue(), threading.Event()
        self.worker = threading.Thread(target=self.run, name="exporter", daemon=True)
        self.worker.start()

    def run(self):
        while (record := self.records.get()) is not None:
            time.sleep(0.02)
            if self.records.empty():
                self.sent.set()

    def emit(self, record):
        self.sent.clear()
        self.records.put(record)

    def flush(self):
        began = time.monotonic()
        self.sent.wait(1.2)
        print("truth: flushed after", time.monotonic() - began)

    def stop(self):
        self.records.put(None)
        self.worker.join()
        self.emit(None)


exporter = Exporter()
logging.getLogger("app").addHandler(exporter)
for n in range(5):
    logging.getLogger("app").warning("request %d", n)
atexit.register(exporter.stop)
time.sleep(0.3)
