"""A worker asks its queue with a time-out of a millisecond, again and again
(https://github.com/dgtlmoon/changedetection.io/issues/3302).
truth: `notifier` runs into the time-out of `get` some 1,000 times in `notification_runner`, for 1.5 s."""
import queue
import threading
import time

notifications = queue.Queue()
stop = threading.Event()


def notification_runner():
    while not stop.is_set():
        try:
            notify(notifications.get(timeout=0.001))
        except queue.Empty:
            continue


def notify(text):
    time.sleep(0.002)


thread = threading.Thread(target=notification_runner, name="notifier")
thread.start()
for number in range(5):
    notifications.put(number)
    time.sleep(0.3)
stop.set()
thread.join()
