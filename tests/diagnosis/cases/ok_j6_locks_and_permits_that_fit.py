"""Healthy look-alike of y25 and y26: a lock that is given back before each pause, permits enough for all processes, and a
selector that asks for `EVENT_WRITE` only while there is something to send."""
import multiprocessing as mp, selectors, socket, threading, time

lock = threading.Lock()


def record_all():
    for n in range(40):
        with lock:
            sum(range(2000))
        time.sleep(0.02)


def show():
    for _ in range(40):
        time.sleep(0.02)
        with lock:
            pass


def fetch(permits):
    for _ in range(3):
        with permits:
            time.sleep(0.1)


def serve(listener, stop):
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        out = {}
        while not stop.is_set():
            for key, events in selector.select(0.1):
                one = key.fileobj
                if one is listener:
                    connection, _ = listener.accept()
                    out[connection] = b""
                    selector.register(connection, selectors.EVENT_READ)
                    continue
                if events & selectors.EVENT_READ:
                    data = one.recv(1000)
                    if not data:
                        selector.unregister(one)
                        one.close()
                        continue
                    out[one] += data
                if events & selectors.EVENT_WRITE and out[one]:
                    out[one] = out[one][one.send(out[one]):]
                selector.modify(one, selectors.EVENT_READ | (selectors.EVENT_WRITE if out[one] else 0))


if __name__ == "__main__":
    threads = [threading.Thread(target=record_all, name="recorder"), threading.Thread(target=show, name="status")]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    c = mp.get_context("fork")
    permits = c.Semaphore(4)
    ps = [c.Process(target=fetch, args=(permits,), name=f"get-{i}") for i in range(4)]
    for p in ps:
        p.start()
    for p in ps:
        p.join()
    listener, stop = socket.create_server(("127.0.0.1", 0)), threading.Event()
    relay = threading.Thread(target=serve, args=(listener, stop), name="relay")
    relay.start()
    with socket.create_connection(listener.getsockname()) as client:
        for _ in range(4):
            client.sendall(b"ping")
            client.recv(10)
            time.sleep(0.1)
    stop.set()
    relay.join()
