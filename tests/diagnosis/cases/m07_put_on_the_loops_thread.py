"""A blocking put into a full queue, on the thread of the loop that empties it
(https://github.com/clustershell/clustershell/issues/145).
truth: `on_event`, on the loop, puts into a full queue, which only a callback of that very loop
empties: the loop waits for itself, twice for 1.0 s, and the messages are lost."""
import asyncio, queue
q = queue.Queue(5)
stored = []
def drain(): stored.append(q.get_nowait())
def on_event(loop, message):
    try: q.put(message, timeout=1.0)
    except queue.Full: print("truth lost", message)
    else: loop.call_soon(drain)
async def main():
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.05)
    for i in range(7): on_event(loop, i)
    await asyncio.sleep(0.1)
    print("truth stored", len(stored))
asyncio.run(main())
