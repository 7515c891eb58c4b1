"""HEALTHY: an asyncio ETL: reads files in threads, parses in a process pool, writes in batches; a progress bar of 10 Hz; CPU busy."""
import asyncio
import csv
import io
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor

FOLDER = tempfile.mkdtemp()


def make():
    for n in range(24):
        with open(os.path.join(FOLDER, f"{n}.csv"), "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([k, k * n, f"name {k}"] for k in range(4000))


def read(path):
    with open(path) as file:
        return file.read()


def parse(text):
    rows = list(csv.reader(io.StringIO(text)))
    return sum(int(row[1]) for row in rows)


async def handle(pool, limit, queue, path):
    async with limit:
        text = await asyncio.to_thread(read, path)
        total = await asyncio.get_running_loop().run_in_executor(pool, parse, text)
        await queue.put(total)


async def writer(queue, out):
    while (total := await queue.get()) is not None:
        out.append(total)
        await asyncio.to_thread(os.stat, FOLDER)


async def progress(out):
    while True:
        await asyncio.sleep(0.1)
        len(out)


async def main():
    make()
    out, queue, limit = [], asyncio.Queue(10), asyncio.Semaphore(4)
    with ProcessPoolExecutor(2) as pool:
        bar = asyncio.create_task(progress(out))
        sink = asyncio.create_task(writer(queue, out))
        await asyncio.gather(*(handle(pool, limit, queue, os.path.join(FOLDER, f"{n}.csv")) for n in range(24)))
        await queue.put(None)
        await sink
        bar.cancel()
    print(sum(out))


if __name__ == "__main__":
    asyncio.run(main())
