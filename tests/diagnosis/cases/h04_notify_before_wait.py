"""`notify` comes before `wait`, which does not look at the state first
(https://github.com/chenshuo/muduo/issues/412).
truth: `start` sleeps its whole 1.2 s although the worker was ready after 0 s and said so."""
import threading
import time

ready = threading.Condition()


def serve():
    with ready:
        ready.notify_all()
    time.sleep(1.5)


def start():
    threading.Thread(target=serve, name="server", daemon=True).start()
    time.sleep(0.1)
    with ready:
        ready.wait(1.2)


start()
