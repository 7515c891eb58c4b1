"""Look-ups of names use trio's worker threads, all of which are busy with uploads
(https://github.com/python-trio/trio/issues/10).
truth: 40 tokens, each 0.5 s in `upload_file`; `connect` waits up to 1 s for its getaddrinfo."""
import time

import trio

waited = []


def upload_file(number):
    time.sleep(0.5)


async def upload(number):
    await trio.to_thread.run_sync(upload_file, number)


async def connect(number):
    began = trio.current_time()
    await trio.socket.getaddrinfo("localhost", 80)
    waited.append(trio.current_time() - began)


async def main():
    async with trio.open_nursery() as nursery:
        for number in range(80):
            nursery.start_soon(upload, number)
        await trio.sleep(0.1)
        for number in range(8):
            nursery.start_soon(connect, number)
    print("truth", round(max(waited), 2))


trio.run(main)
