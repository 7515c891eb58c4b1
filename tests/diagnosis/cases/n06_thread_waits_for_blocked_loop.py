"""A thread waits for a loop that a coroutine blocks.
After https://github.com/hotosm/tasking-manager/pull/7305 and reports like it.

loop blocked: `reindex` sleeps 0.5 s in `scan` on the loop's thread; `gui` waits
for `get_state` (run_coroutine_threadsafe().result()) meanwhile."""
import asyncio, threading, time
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, name="io-loop", daemon=True).start()
async def get_state(): return 1
def scan(): time.sleep(0.5)
async def reindex():
    for _ in range(3):
        scan()
        await asyncio.sleep(0.2)
slow = []
def gui():
    for _ in range(20):
        t = time.monotonic()
        asyncio.run_coroutine_threadsafe(get_state(), loop).result(2)
        slow.append(time.monotonic() - t)
        time.sleep(0.05)
job = asyncio.run_coroutine_threadsafe(reindex(), loop)
g = threading.Thread(target=gui, name="gui"); g.start(); g.join(); job.result()
loop.call_soon_threadsafe(loop.stop)
print(f"slowest {max(slow):.2f}")
