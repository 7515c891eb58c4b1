"""The test waits for a server thread that failed when it began.
After https://github.com/vllm-project/vllm-ascend/pull/4754. `start_server`
waits 2 s for the Event `ready`; the thread `server` had failed (OSError) in `serve`."""

import socket
import threading
import time

ready = threading.Event()


def serve(port):
    sock = socket.socket()
    sock.bind(("127.0.0.1", port))
    sock.listen()
    ready.set()
    sock.accept()


def start_server(port):
    threading.Thread(target=serve, args=(port,), name="server", daemon=True).start()
    return ready.wait(2)


def warm_up():
    for _ in range(20):
        time.sleep(0.01)
        sum(range(5_000))


threading.excepthook = lambda args: print(args.exc_type.__name__)
taken = socket.create_server(("127.0.0.1", 0))
other = threading.Thread(target=warm_up, name="warm-up")
other.start()
print("ready:", start_server(taken.getsockname()[1]))
other.join()
