"""Coroutines hand their requests to the one thread of an SDK that is not asynchronous, which
answers by call_soon_threadsafe, one after the other.

After https://github.com/dask/distributed/issues/647
"""
import asyncio
import queue
import socket
import threading

inbox = queue.Queue()
here, there = socket.socketpair()


def device():
    while there.recv(1):
        threading.Event().wait(0.14)
        there.send(b"y")


def sdk():
    while (item := inbox.get()) is not None:
        loop, answer = item
        here.send(b"x")
        here.recv(1)
        loop.call_soon_threadsafe(answer.set_result, None)
    here.close()


async def read_sensor(n):
    await asyncio.sleep(n * 0.05)
    loop = asyncio.get_running_loop()
    answer = loop.create_future()
    inbox.put((loop, answer))
    await answer


async def main():
    await asyncio.gather(*(read_sensor(n) for n in range(12)))


threads = [threading.Thread(target=device, name="device"), threading.Thread(target=sdk, name="sdk")]
for t in threads:
    t.start()
asyncio.run(main())
inbox.put(None)
for t in threads:
    t.join()
