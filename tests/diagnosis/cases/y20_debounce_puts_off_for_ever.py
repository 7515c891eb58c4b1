"""Each change cancels the timer that would save, and starts another one, so that nothing is saved while changes come
(https://github.com/gorakhargosh/watchdog/issues/997).
truth: `save` runs once, after 1.6 s, though it should 0.1 s after the first change; `viewer` waits for it all that time in
`wait_for_save`; `changed` started 30 timers and cancelled 29."""
import threading, time


class Debouncer:
    def __init__(self, seconds, call):
        self.seconds, self.call, self.timer = seconds, call, None

    def changed(self):
        if self.timer:
            self.timer.cancel()
        self.timer = threading.Timer(self.seconds, self.call)
        self.timer.start()


saved = threading.Event()


def save():
    saved.set()


def wait_for_save():
    began = time.monotonic()
    saved.wait()
    print("truth: saved after", time.monotonic() - began)


def type_text(debouncer):
    for _ in range(30):
        debouncer.changed()
        time.sleep(0.05)


debouncer = Debouncer(0.1, save)
viewer = threading.Thread(target=wait_for_save, name="viewer")
viewer.start()
type_text(debouncer)
viewer.join()
