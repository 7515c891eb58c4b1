"""Each request starts a `threading.Timer` as a watchdog that nobody cancels
(https://github.com/nesquena/hermes-webui/issues/4973).
truth: 60 threads `Timer` live at the end, each waits for its 30 s; 60 requests of 15 ms."""
import threading
import time


class Diagnostics:
    def __init__(self, path):
        self.timer = threading.Timer(30, print, args=("slow request", path))
        self.timer.daemon = True
        self.timer.start()


def handle(path):
    Diagnostics(path)
    time.sleep(0.015)


def serve():
    for number in range(60):
        handle(f"/api/sessions/{number}")


serve()
print(f"truth {threading.active_count()} threads")
