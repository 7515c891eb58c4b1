"""A gRPC call with `wait_for_ready` and no deadline, while its server is down
(https://github.com/grpc/grpc/issues/31483).
truth: `price-refresh` waits in `get_price` from 0.1 s to the end; MainThread joins it for 2 s in vain."""
import socket
import threading

import grpc

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
call = channel.unary_unary("/shop.Prices/Get")


def get_price():
    return call(b"milk", wait_for_ready=True)


def refresh():
    try:
        get_price()
    except (grpc.RpcError, ValueError):
        pass


thread = threading.Thread(target=refresh, name="price-refresh", daemon=True)
thread.start()
thread.join(2)
print("truth: still waiting", thread.is_alive())
channel.close()
thread.join()
