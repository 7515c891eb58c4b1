"""Three threads with different work compute beside an asyncio service
(after https://github.com/TkTech/pysimdjson/issues/100).
truth: `deduper`, `indexer` and `ranker` share the GIL with MainThread, which serves."""
import asyncio
import difflib
import re
import threading
import time

STOP = threading.Event()
WORDS = [f"article{n % 97} about {n % 13} things" for n in range(400)]


def similar():
    return [difflib.SequenceMatcher(None, a, b).ratio() for a, b in zip(WORDS[:60], WORDS[60:120])]


def index():
    found = {}
    for n in range(60):
        for text in WORDS:
            for word in re.findall(r"\w+", text):
                found.setdefault(word, []).append(n)
    return found


def rank():
    scores = {}
    for n in range(120):
        for text in WORDS:
            scores[text] = scores.get(text, 0) + len(text) * n % 7
    return sorted(scores, key=scores.get)


def forever(work, pause):
    while not STOP.is_set():
        work()
        STOP.wait(pause)


async def handle(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def client(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        writer.write(b"ping %d\n" % n)
        await writer.drain()
        await reader.readline()
        await asyncio.sleep(0.01)
    writer.close()


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for name, work, pause in (("deduper", similar, 0.02), ("indexer", index, 0.03), ("ranker", rank, 0.01)):
        threading.Thread(target=forever, args=(work, pause), name=name, daemon=True).start()
    await asyncio.gather(*(client(port, n) for n in range(6)))
    STOP.set()
    server.close()


asyncio.run(main())
