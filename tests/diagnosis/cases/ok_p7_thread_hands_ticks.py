"""healthy: a thread hands 20 ticks a batch to the loop, 50 batches"""
import asyncio, threading, time
def on_tick(n, got): got.append(n)
def feed(loop, got, done):
    for b in range(40):
        for n in range(20): loop.call_soon_threadsafe(on_tick, n, got)
        time.sleep(0.03)
    loop.call_soon_threadsafe(done.set)
async def main():
    got, done = [], asyncio.Event()
    threading.Thread(target=feed, args=(asyncio.get_running_loop(), got, done)).start()
    await done.wait()
asyncio.run(main())
