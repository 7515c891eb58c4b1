"""The helper thread dies before it says that it is ready; the main thread waits for its whole time-out.
truth: MainThread waits 1.5 s in Event.wait in `start_server`; nobody sets it."""
import contextlib
import threading

ready = threading.Event()


def serve():
    with contextlib.suppress(KeyError):
        {}["port"]
        ready.set()


def start_server():
    threading.Thread(target=serve, name="server").start()
    print("truth ready", ready.wait(1.5))


start_server()
