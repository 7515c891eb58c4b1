"""Handlers of a gRPC server ask another method of the same server while they have its only threads
(after https://github.com/grpc/grpc/issues/7052).
truth: 2 workers; both run `place_order`, which asks `price` of the same server and waits until its deadline (0.8 s);
`price` is queued behind them."""
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

failed = 0
stub = None


def price(request, context):
    return b"42"


def place_order(request, context):
    global failed
    try:
        return stub(b"sku", timeout=0.8)
    except grpc.RpcError:
        failed += 1
        return b"no price"


def handlers():
    methods = {
        "price": grpc.unary_unary_rpc_method_handler(price),
        "order": grpc.unary_unary_rpc_method_handler(place_order),
    }
    return grpc.method_handlers_generic_handler("shop", methods)


def main():
    global stub
    server = grpc.server(ThreadPoolExecutor(2, thread_name_prefix="grpc"))
    server.add_generic_rpc_handlers((handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    stub = channel.unary_unary("/shop/price")
    order = channel.unary_unary("/shop/order")
    assert order(b"1") == b"42"
    for _ in range(2):
        clients = [threading.Thread(target=order, args=(b"1",), name=f"client-{n}") for n in range(2)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    print("truth failed", failed)
    server.stop(0).wait()


main()
