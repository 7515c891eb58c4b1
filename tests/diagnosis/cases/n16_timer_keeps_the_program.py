"""A timer that nobody cancels keeps the program from its end.
After https://github.com/python/cpython/issues/80961.

truth: the program is over after 0.2 s, and waits 2.0 s for the Timer of `start_watchdog`."""
import threading, time
def give_up(): print("watchdog: too late")
def start_watchdog():
    t = threading.Timer(2.2, give_up); t.start(); return t
def work(): time.sleep(0.2)
start_watchdog()
work()
print("done")
