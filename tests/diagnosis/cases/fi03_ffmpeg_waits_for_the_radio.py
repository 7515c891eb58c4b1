"""A bot that reads from ffmpeg's pipe in the loop (https://github.com/Rapptz/discord.py/issues/4075).

Truth: `play` starts a child and reads its first packet with a blocking read: the child says
nothing for 1 s (the radio does not answer); `heartbeat` is 0.9 s late.
"""

import asyncio
import subprocess
import sys
import time

CHILD = "import time, sys; time.sleep(1.0); sys.stdout.write('x' * 3840); sys.stdout.flush()"


class Audio:
    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE)

    def read(self):
        return self.process.stdout.read(3840)

    def close(self):
        self.process.kill()
        self.process.wait()


async def play():
    audio = Audio()
    packet = audio.read()
    audio.close()
    return len(packet)


async def heartbeat(late):
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.1)
        late.append(time.perf_counter() - begun - 0.1)


async def main():
    late = []
    beat = asyncio.create_task(heartbeat(late))
    await asyncio.sleep(0.3)
    await play()
    await asyncio.sleep(0.3)
    beat.cancel()
    print(f"truth: heartbeat late by up to {max(late):.2f} s")


asyncio.run(main())
