"""Flask-like requests that each compute in Python, in 8 threads at once
(https://github.com/pallets/flask/discussions/4567 is one of many).
truth: 8 threads compute in `render_report`; each waits seven eighths of its time for the GIL."""
import threading


def render_report():
    total = 0
    for n in range(1_500_000):
        total += n * n % 7
    return total


threads = [threading.Thread(target=render_report, name=f"request-{n}") for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
