"""HEALTHY: workers ask the main thread, which looks for call-backs all the time it waits; children are
joined without any lock."""
import multiprocessing
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

callbacks = queue.Queue()


def ask_main(question):
    done, box = threading.Event(), []
    callbacks.put((question, done, box))
    done.wait()
    return box[0]


def load(n):
    time.sleep(0.01)
    return ask_main(n) if n % 3 == 0 else n


def child(lock, n):
    with lock:
        time.sleep(0.01)


def main():
    with ThreadPoolExecutor(4, thread_name_prefix="plugin") as pool:
        for turn in range(12):
            jobs = [pool.submit(load, turn * 4 + k) for k in range(4)]
            while not all(job.done() for job in jobs):
                try:
                    question, done, box = callbacks.get(timeout=0.01)
                except queue.Empty:
                    continue
                box.append(question * 2)
                done.set()
    context = multiprocessing.get_context("fork")
    lock = context.Lock()
    children = [context.Process(target=child, args=(lock, n)) for n in range(3)]
    for one in children:
        one.start()
    for one in children:
        one.join()


main()
