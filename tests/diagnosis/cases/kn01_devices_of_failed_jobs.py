"""Devices in a list under a condition; a job that fails does not give its device back.
truth: `trainer_N` and then the main thread wait 1.5 s for a device in `Devices.take`; two jobs `train` that failed have both.
"""
import threading
import time
from concurrent.futures import ThreadPoolExecutor


class Devices:
    def __init__(self, names):
        self.free = list(names)
        self.changed = threading.Condition()

    def take(self, timeout):
        with self.changed:
            while not self.free:
                if not self.changed.wait(timeout):
                    raise TimeoutError("no device")
            return self.free.pop()

    def give(self, device):
        with self.changed:
            self.free.append(device)
            self.changed.notify()


devices = Devices(["gpu0", "gpu1"])


def train(n):
    device = devices.take(1.5)
    time.sleep(0.05)
    if n in (1, 3):
        raise ValueError("bad batch")
    devices.give(device)
    return n


def main():
    pool = ThreadPoolExecutor(4, thread_name_prefix="trainer")
    jobs = [pool.submit(train, n) for n in range(8)]
    for one in jobs:
        try:
            print(one.result())
        except (ValueError, TimeoutError) as error:
            print(error)
    try:
        device = devices.take(1.5)
        devices.give(device)
    except TimeoutError as error:
        print(error)
    pool.shutdown()


main()
