"""HEALTHY: callers hand requests to one thread that owns a connection and wait for its answer;
it answers at once, and flushes when it has been idle for 50 ms."""
import queue
import random
import threading
import time

requests = queue.Queue()
dice = random.Random(5)


def owner():
    store, dirty = {}, 0
    while True:
        try:
            request = requests.get(timeout=0.05)
        except queue.Empty:
            if dirty:
                time.sleep(0.002)
                dirty = 0
            continue
        if request is None:
            return
        key, value, answer = request
        time.sleep(0.0005)
        store[key], dirty = value, dirty + 1
        answer.put(len(store))


def ask(key, value):
    answer = queue.Queue(1)
    requests.put((key, value, answer))
    return answer.get()


def caller(n):
    for k in range(40):
        ask((n, k), k)
        time.sleep(0.005 + 0.02 * dice.random())


def main():
    one = threading.Thread(target=owner, name="owner")
    one.start()
    callers = [threading.Thread(target=caller, args=(n,), name=f"caller-{n}") for n in range(5)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    time.sleep(0.3)
    requests.put(None)
    one.join()


main()
