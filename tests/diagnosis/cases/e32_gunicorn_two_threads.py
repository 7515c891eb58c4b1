"""Slow requests have both threads of a gthread-like server; others queue
(https://github.com/benoitc/gunicorn/issues/1493).
truth: 2 workers are asleep in `export` for 0.4 s each; `health` waits behind them."""
import time
from concurrent.futures import ThreadPoolExecutor


def export():
    time.sleep(0.4)


def health():
    return "ok"


def handle(view):
    return view()


with ThreadPoolExecutor(2, thread_name_prefix="gthread") as pool:
    for _ in range(4):
        pool.submit(handle, export)
        pool.submit(handle, health)
        time.sleep(0.01)
