"""At exit, shutdown() joins an exporter thread that sleeps between its retries
(https://github.com/PostHog/posthog/pull/70964, https://github.com/open-telemetry/opentelemetry-python/issues/2284).
truth: MainThread stands 1.9 s in Thread.join in `shutdown` (atexit) for `exporter`, which sleeps in `export`
between refused connections (0.1, 0.2, ... s)."""
import atexit
import socket
import threading
import time


class Exporter:
    def __init__(self):
        self.spans, self.stopped = [], False
        self.thread = threading.Thread(target=self.run, name="exporter", daemon=True)
        self.thread.start()
        atexit.register(self.shutdown)

    def export(self, spans):
        for attempt in range(5):
            try:
                socket.create_connection(("127.0.0.1", 9), timeout=1).sendall(repr(spans).encode())
                return
            except OSError:
                time.sleep(0.06 * 2**attempt)

    def run(self):
        while not self.stopped:
            time.sleep(0.05)
            if self.spans:
                self.export(self.spans.copy())
                self.spans.clear()

    def shutdown(self):
        self.stopped = True
        self.thread.join()


exporter = Exporter()
for n in range(5):
    exporter.spans.append(n)
    time.sleep(0.02)
