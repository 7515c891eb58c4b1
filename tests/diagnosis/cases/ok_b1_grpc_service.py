"""HEALTHY: a grpc server with 8 workers, 6 clients with their own stubs, calls of 5-15 ms, a streaming call."""
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc


def get(request, context):
    time.sleep(0.005 + len(request) % 3 * 0.005)
    return request[::-1]


def watch(request, context):
    for n in range(10):
        time.sleep(0.05)
        yield b"%d" % n


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == "/shop/Get":
            return grpc.unary_unary_rpc_method_handler(get)
        return grpc.unary_stream_rpc_method_handler(watch)


def client(port, n):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/shop/Get")
        for k in range(40):
            call(b"order %d" % (n * k), timeout=5)
            time.sleep(0.02)


def watcher(port):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        list(channel.unary_stream("/shop/Watch")(b"all"))


def main():
    server = grpc.server(ThreadPoolExecutor(8, "grpc"), handlers=[Handler()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    threads = [threading.Thread(target=client, args=(port, n), name=f"client-{n}") for n in range(6)]
    threads.append(threading.Thread(target=watcher, args=(port,), name="watcher"))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.stop(1).wait()


main()
