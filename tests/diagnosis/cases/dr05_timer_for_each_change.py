"""A debounced save starts a `threading.Timer` for each change and forgets the one before
(https://github.com/sublimelsp/LSP/pull/2333, https://github.com/python/cpython/issues/83382).
truth: 100 timers of 1.6 s at once, each a thread; 100 saves."""

import threading
import time


class Saver:
    def __init__(self):
        self.saves = 0

    def save(self, path):
        self.saves += 1


class Watch:
    def __init__(self, saver):
        self.saver = saver
        self.timer = None

    def changed(self, path):
        self.timer = threading.Timer(1.6, self.saver.save, (path,))
        self.timer.start()


def editor(watch, changes):
    for _ in range(changes):
        watch.changed("a.txt")
        time.sleep(0.012)


def main():
    saver = Saver()
    thread = threading.Thread(target=editor, args=(Watch(saver), 100), name="editor")
    thread.start()
    thread.join()
    print("truth threads", threading.active_count())
    for one in threading.enumerate():
        if one is not threading.current_thread():
            one.join()
    print("truth saves", saver.saves)


if __name__ == "__main__":
    main()
