"""One thread applies regular expressions while uvloop serves (GIL hog; aaugustin in websockets#1430).
truth: thread `rules` computes in `apply_rules` 1.2 s in re.sub calls of 40 ms or more that keep the GIL; 15 `serve`
tasks and MainThread wait for the GIL."""
import asyncio
import re
import threading
import time

import uvloop

TEXT = "lorem ipsum dolor sit amet " * 12_000
WORDS = [re.compile(rf"(?:{word})+\s*\w*") for word in ("ipsum", "dolor", "amet", "sit")]


def apply_rules():
    end = time.thread_time() + 1.2
    while time.thread_time() < end:
        for word in WORDS:
            word.sub("x", TEXT)


async def serve():
    while threading.active_count() > 1:
        await asyncio.sleep(0.01)


async def main():
    threading.Thread(target=apply_rules, name="rules").start()
    await asyncio.gather(*(serve() for _ in range(15)))


uvloop.run(main())
