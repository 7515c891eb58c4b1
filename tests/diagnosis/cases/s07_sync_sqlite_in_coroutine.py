"""Coroutines use sqlite3 directly, while a thread imports in one transaction
(after reports of `sqlite3` in bots that answer late).
truth: `save_message` blocks the loop up to 0.5 s in execute, waiting for the importer's transaction."""
import asyncio
import os
import sqlite3
import tempfile
import threading
import time

path = os.path.join(tempfile.mkdtemp(), "bot.db")
with sqlite3.connect(path) as setup:
    setup.execute("create table messages (text)")


def importer(begun):
    connection = sqlite3.connect(path)
    connection.execute("begin immediate")
    begun.set()
    time.sleep(0.6)
    connection.commit()


async def save_message(text):
    with sqlite3.connect(path, timeout=5) as connection:
        connection.execute("insert into messages values (?)", (text,))


async def typing():
    while True:
        await asyncio.sleep(0.02)


async def main():
    begun = threading.Event()
    threading.Thread(target=importer, args=(begun,), name="importer").start()
    await asyncio.to_thread(begun.wait)
    others = [asyncio.create_task(typing()) for _ in range(4)]
    await asyncio.sleep(0.1)
    await save_message("hello")
    for other in others:
        other.cancel()


asyncio.run(main())
