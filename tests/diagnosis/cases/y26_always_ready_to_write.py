"""A server asks its selector for `EVENT_WRITE` of all connections, and these are always ready
(https://github.com/jmdaweb/NVDARemoteServer/pull/12, https://github.com/realpython/materials/issues/77).
truth: `relay` computes all the time in `serve`: `select` returns at once, some ten thousand times a second, though its clients say
nothing for 1.2 s."""
import selectors, socket, threading, time


def serve(listener, stop):
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        out = {}
        while not stop.is_set():
            for key, events in selector.select(0.1):
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    out[connection] = b""
                    selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
                    continue
                if events & selectors.EVENT_READ:
                    data = key.fileobj.recv(1000)
                    if not data:
                        selector.unregister(key.fileobj)
                        key.fileobj.close()
                        continue
                    out[key.fileobj] += data
                if events & selectors.EVENT_WRITE and out[key.fileobj]:
                    out[key.fileobj] = out[key.fileobj][key.fileobj.send(out[key.fileobj]):]


listener, stop = socket.create_server(("127.0.0.1", 0)), threading.Event()
relay = threading.Thread(target=serve, args=(listener, stop), name="relay")
relay.start()
began = time.thread_time()
with socket.create_connection(listener.getsockname()) as client:
    for _ in range(4):
        client.sendall(b"ping")
        client.recv(10)
        time.sleep(0.3)
stop.set()
relay.join()
print("truth: CPU", time.process_time())
