"""Callbacks run under the manager's lock; one of them asks the service and waits for an answer that needs the lock
(https://github.com/opendxl/opendxl-client-python/pull/21).
truth: deadlock: `incoming-0` has the lock of `fire_message` and waits in `on_event` (`sync_request`) for an answer; `incoming-1`, which has the answer, waits for that lock."""
import queue
import threading
import time


class Client:
    def __init__(self):
        self.lock, self.callbacks, self.answers = threading.RLock(), {}, {}
        self.messages = queue.Queue()
        for n in range(2):
            threading.Thread(target=self._incoming, name=f"incoming-{n}", daemon=True).start()

    def _incoming(self):
        while True:
            self.fire_message(*self.messages.get())

    def add_callback(self, topic, callback):
        with self.lock:
            self.callbacks.setdefault(topic, []).append(callback)

    def fire_message(self, topic, payload):
        with self.lock:
            for callback in self.callbacks.get(topic, ()):
                callback(payload)
            if topic in self.answers:
                self.answers[topic].set()

    def sync_request(self, topic, timeout):
        answered = self.answers[topic] = threading.Event()
        threading.Timer(0.05, self.messages.put, ((topic, "answer"),)).start()
        return answered.wait(timeout)


client = Client()
done = threading.Event()


def on_event(payload):
    begun = time.perf_counter()
    print("truth answered", client.sync_request("/reputation", 1.5), f"after {time.perf_counter() - begun:.2f} s")
    done.set()


client.add_callback("/event", on_event)
client.messages.put(("/event", "file seen"))
done.wait(3)
