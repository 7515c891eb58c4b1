"""HEALTHY: children work for a while and are then terminated, which ends them at once."""
import multiprocessing
import time


def poll_feed(number):
    while True:
        time.sleep(0.1)


def stop_all(children):
    for child in children:
        child.terminate()
    for child in children:
        child.join()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=poll_feed, args=(n,), name="feed-%d" % n) for n in range(3)]
    for child in children:
        child.start()
    time.sleep(1.5)
    began = time.monotonic()
    stop_all(children)
    print("truth: stopped after %.2f s" % (time.monotonic() - began))
