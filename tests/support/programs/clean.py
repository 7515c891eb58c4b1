"""Small programs that do what they do as one should: nothing is to be found in them."""

ECHO = """
import asyncio

async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()

async def ask(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(10):
        writer.write(b"hello %d\\n" % n)
        assert await reader.readline() == b"hello %d\\n" % n
        await asyncio.sleep(0.005)
    writer.close()
    await writer.wait_closed()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await asyncio.gather(*(ask(port, n) for n in range(10)))
    server.close()

asyncio.run(main())
"""

POOL_WITH_QUEUE = """
import queue, threading, time

jobs, done = queue.Queue(), queue.Queue()

def work():
    while (job := jobs.get()) is not None:
        time.sleep(0.002)
        done.put(job * job)

workers = [threading.Thread(target=work, name=f"worker-{n}") for n in range(4)]
for worker in workers:
    worker.start()
for n in range(100):
    jobs.put(n)
for _ in workers:
    jobs.put(None)
for worker in workers:
    worker.join()
assert done.qsize() == 100
"""

PIPELINE = """
import asyncio

async def produce(out):
    for n in range(100):
        await out.put(n)
        await asyncio.sleep(0.001)
    await out.put(None)

async def double(source, out):
    while (n := await source.get()) is not None:
        await out.put(n * 2)
    await out.put(None)

async def consume(source):
    total = 0
    while (n := await source.get()) is not None:
        total += n
    return total

async def main():
    first, second = asyncio.Queue(5), asyncio.Queue(5)
    _, _, total = await asyncio.gather(produce(first), double(first, second), consume(second))
    assert total == 9900

asyncio.run(main())
"""

TIMERS = """
import asyncio

async def beat(every, times):
    for _ in range(times):
        await asyncio.sleep(every)

async def main():
    loop, rung = asyncio.get_running_loop(), []
    for n in range(50):
        loop.call_later(n / 500, rung.append, n)
    await asyncio.gather(beat(0.01, 40), beat(0.02, 20), beat(0.005, 80))
    assert rung == list(range(50))

asyncio.run(main())
"""

SUBPROCESSES = """
import asyncio, sys

async def run(n):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-c", f"print({n})", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out == b"%d\\n" % n

async def main():
    await asyncio.gather(*(run(n) for n in range(4)))

asyncio.run(main())
"""

FAN_OUT = """
import asyncio

async def fetch(n):
    await asyncio.sleep(0.02 + n % 7 / 1000)
    return n

async def main():
    for _ in range(5):
        assert sum(await asyncio.gather(*(fetch(n) for n in range(300)))) == 44850

asyncio.run(main())
"""

TO_THREAD = """
import asyncio, hashlib, time

def read(n):
    time.sleep(0.005)
    return hashlib.sha256(b"x" * 100_000 * n).hexdigest()

async def main():
    found = await asyncio.gather(*(asyncio.to_thread(read, n) for n in range(20)))
    assert len(set(found)) == 20

asyncio.run(main())
"""

SQLITE = """
import sqlite3, threading

def work(name):
    database = sqlite3.connect(":memory:")
    database.execute("create table t (n integer, name text)")
    with database:
        database.executemany("insert into t values (?, ?)", ((n, name) for n in range(5000)))
    for n in range(200):
        database.execute("select count(*) from t where n > ?", (n,)).fetchone()
    database.close()

threads = [threading.Thread(target=work, args=(name,), name=name) for name in "ab"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

PRODUCER_CONSUMER = """
import threading
from collections import deque

items, changed, taken = deque(), threading.Condition(), []

def produce():
    for n in range(500):
        with changed:
            while len(items) > 10:
                changed.wait()
            items.append(n)
            changed.notify_all()

def consume():
    while len(taken) < 500:
        with changed:
            while not items:
                changed.wait()
            taken.append(items.popleft())
            changed.notify_all()

threads = [threading.Thread(target=produce), threading.Thread(target=consume)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert taken == list(range(500))
"""

IDLE_SERVER = """
import asyncio, contextlib

async def serve(reader, writer):
    writer.close()

async def housekeeping():
    while True:
        await asyncio.sleep(0.1)

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    keeper = asyncio.create_task(housekeeping())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.5):
            await server.serve_forever()
    keeper.cancel()

asyncio.run(main())
"""

COMPUTING = """
import json

for n in range(30):
    text = json.dumps([{"n": i, "square": i * i} for i in range(3000)])
    assert len(json.loads(text)) == 3000
"""

LOCKED_COUNTER = """
import threading

counting, total = threading.Lock(), 0

def work():
    global total
    for _ in range(2000):
        n = sum(range(50))
        with counting:
            total += 1

threads = [threading.Thread(target=work, name=f"counter-{n}") for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert total == 6000
"""

PROGRAMS = {
    "echo": ECHO,
    "pool with queue": POOL_WITH_QUEUE,
    "pipeline": PIPELINE,
    "timers": TIMERS,
    "subprocesses": SUBPROCESSES,
    "fan-out": FAN_OUT,
    "to_thread": TO_THREAD,
    "sqlite": SQLITE,
    "producer and consumer": PRODUCER_CONSUMER,
    "idle server": IDLE_SERVER,
    "computing": COMPUTING,
    "locked counter": LOCKED_COUNTER,
}
