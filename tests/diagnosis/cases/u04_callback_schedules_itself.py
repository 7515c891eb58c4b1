"""A pump that schedules itself with call_soon spins the loop at 100 %
(https://github.com/python/asyncio/issues/398, https://github.com/bitfinexcom/bitfinex-api-py/issues/65).
truth: `Pump.tick` runs 100,000s of times in 1.2 s and finds its deque empty but 10 times."""
import asyncio
import collections
import threading
import time


class Pump:
    def __init__(self, loop):
        self.loop = loop
        self.inbox = collections.deque()
        self.ticks = self.done = 0

    def tick(self):
        self.ticks += 1
        if self.inbox:
            self.inbox.popleft()
            self.done += 1
        if self.done < 10:
            self.loop.call_soon(self.tick)
        else:
            self.loop.stop()


def feed(pump):
    for n in range(10):
        time.sleep(0.12)
        pump.inbox.append(n)


loop = asyncio.new_event_loop()
pump = Pump(loop)
threading.Thread(target=feed, args=(pump,), name="feed").start()
loop.call_soon(pump.tick)
loop.run_forever()
print(pump.ticks, "ticks for", pump.done)
loop.close()
