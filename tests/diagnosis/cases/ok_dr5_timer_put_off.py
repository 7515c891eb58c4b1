"""CLEAN: a debounced save cancels the timer before, and one runs in the end."""

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
        if self.timer is not None:
            self.timer.cancel()
        self.timer = threading.Timer(0.3, self.saver.save, (path,))
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
