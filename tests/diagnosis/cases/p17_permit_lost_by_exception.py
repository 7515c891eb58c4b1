"""An exception between acquire and release loses a permit each time, until nobody gets one
(https://github.com/cloudify-cosmo/cloudify-manager/pull/1532).
truth: 3 permits were taken in `transfer` by threads that failed; the 5 others wait 0.6 s in vain."""
import threading
import time

slots = threading.BoundedSemaphore(3)


def send(number):
    time.sleep(0.01)
    if number % 2 == 0:
        raise ConnectionResetError(number)


def transfer(number):
    if not slots.acquire(timeout=0.6):
        return
    send(number)
    slots.release()


threading.excepthook = lambda args: None
threads = []
for number in range(11):
    thread = threading.Thread(target=transfer, args=(number,), name=f"transfer-{number}")
    thread.start()
    threads.append(thread)
    time.sleep(0.02)
for thread in threads:
    thread.join()
