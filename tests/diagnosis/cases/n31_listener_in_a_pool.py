"""The end of a pool waits for a job that waits for input.
After https://github.com/jaredrhod/backtalk/issues/24.

truth: `main` waits 1.7 s for the end of the pool; `listen` waits in Queue.get all the time."""
import queue, threading, time
from concurrent.futures import ThreadPoolExecutor
typed = queue.Queue()
def listen(): return typed.get()
def watchdog(): time.sleep(1.8); typed.put("quit")
def main():
    with ThreadPoolExecutor(2, thread_name_prefix="input") as pool:
        pool.submit(listen)
        time.sleep(0.1)
threading.Thread(target=watchdog, daemon=True, name="watchdog").start()
main()
