"""A thread puts into an asyncio.Queue of a uvloop loop; nothing wakes the loop
(https://github.com/MagicStack/uvloop/issues and Stack Overflow "asyncio.Queue put_nowait from another thread delayed").
truth: `reader` puts 12 frames, 0.23 s apart; `consume` sees them only when the loop wakes for `keepalive`, every
0.8 s."""
import asyncio
import threading
import time

import uvloop


def reader(frames):
    for n in range(12):
        time.sleep(0.23)
        frames.put_nowait((n, time.perf_counter()))


async def consume(frames):
    late = []
    for _ in range(12):
        _, sent = await frames.get()
        late.append(time.perf_counter() - sent)
    return late


async def keepalive():
    while True:
        await asyncio.sleep(0.8)


async def main():
    frames = asyncio.Queue()
    alive = asyncio.create_task(keepalive())
    threading.Thread(target=reader, args=(frames,), name="camera", daemon=True).start()
    late = await consume(frames)
    print(f"late {sum(late):.2f} s in all")
    alive.cancel()


uvloop.run(main())
