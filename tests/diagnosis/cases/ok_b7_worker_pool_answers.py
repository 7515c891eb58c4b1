"""HEALTHY: four threads answer requests from a queue, 3 ms each; callers hardly ever wait, and the
main thread prints a summary."""
import queue
import random
import threading
import time

requests = queue.Queue()
dice = random.Random(9)


def work():
    while (job := requests.get()) is not None:
        number, event, box = job
        time.sleep(0.003)
        box.append(number * 2)
        event.set()


def ask(number):
    event, box = threading.Event(), []
    requests.put((number, event, box))
    event.wait(2)
    return box[0]


def caller(n, totals):
    for k in range(40):
        totals[n] += ask(k)
        time.sleep(0.004 + dice.random() / 100)


def main():
    workers = [threading.Thread(target=work, name=f"answer-{n}") for n in range(4)]
    totals = [0] * 6
    callers = [threading.Thread(target=caller, args=(n, totals), name=f"caller-{n}") for n in range(6)]
    for one in workers + callers:
        one.start()
    for one in callers:
        one.join()
    for _ in workers:
        requests.put(None)
    for one in workers:
        one.join()
    print(totals)


main()
