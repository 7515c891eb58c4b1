"""A worker that finds a fatal error stops its group, which joins all workers, the one of them that
waits for the error's lock (https://github.com/home-assistant/core/pull/49282).
truth: `poller-1` has `state_lock` in `fail` and joins `poller-0`, which waits for `state_lock` in
`report`; 1.5 s, until the time-out of the join."""
import threading
import time

state_lock = threading.Lock()
stopping = threading.Event()
pollers = []
polled = [0]


def report(value):
    with state_lock:
        polled[0] += value


def fail():
    with state_lock:
        stopping.set()
        for one in pollers:
            if one is not threading.current_thread():
                one.join(1.5)


def poll(n):
    for k in range(40):
        if stopping.is_set():
            return
        time.sleep(0.01)
        report(k)
        if n == 1 and k == 30:
            fail()
            return


def main():
    for n in range(3):
        pollers.append(threading.Thread(target=poll, args=(n,), name=f"poller-{n}"))
    for one in pollers:
        one.start()
    since = time.monotonic()
    for one in list(pollers):
        one.join()
    print("truth", polled, f"{time.monotonic() - since:.2f} s")


main()
