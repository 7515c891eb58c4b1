"""Streaming calls have all workers of a gRPC server; other calls queue
(https://github.com/grpc/grpc/issues/8616).
truth: 2 workers are in `watch`, asleep, for 1.2 s; 4 calls of `ping` wait for them."""
import time
from concurrent import futures

import grpc


def watch(request, context):
    for n in range(12):
        yield b"tick"
        time.sleep(0.1)


def ping(request, context):
    return b"pong"


handlers = {
    "Watch": grpc.unary_stream_rpc_method_handler(watch),
    "Ping": grpc.unary_unary_rpc_method_handler(ping),
}
server = grpc.server(futures.ThreadPoolExecutor(max_workers=2, thread_name_prefix="grpc"))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Shop", handlers)])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    streams = [channel.unary_stream("/Shop/Watch")(b"") for _ in range(2)]
    for stream in streams:
        next(stream)
    calls = [channel.unary_unary("/Shop/Ping").future(b"") for _ in range(4)]
    began = time.monotonic()
    for call in calls:
        call.result()
    print("truth: ping waited", time.monotonic() - began)
server.stop(0)
