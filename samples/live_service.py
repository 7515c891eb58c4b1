"""A small service with faults that show only while it runs; docs/production.md examines it.

A report now and then blocks the loop, a question to a partner has no time-out and leaves its
task behind, and a malformed order makes garbage in circles that only the collector frees.
Visitors on a thread of their own send so many requests, by default 3,000.
"""

import asyncio
import http.client
import itertools
import json
import sys
import threading
import time

REQUESTS = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
PAUSE_S = 0.01
SLOW_S = 0.4
SLOW_EVERY = 50
PATHS = ("/order", "/report", "/ask", "/health", "/broken", "/health", "/order", "/health")

reports = itertools.count(1)
questions: list[asyncio.Task[str]] = []


class Field:
    """A node of the error message; it knows its neighbour, which knows it."""

    def __init__(self, text: str) -> None:
        self.text = text * 50
        self.neighbour = self


async def order(body: str) -> str:
    try:
        return f"{len(json.loads(body))} items"
    except ValueError as error:
        fields = [Field(body) for _ in range(200)]
        return f"{error}: {len(fields)} fields looked at"


async def report() -> str:
    if next(reports) % SLOW_EVERY == 0:
        time.sleep(SLOW_S)  # as a library does that was not made for asyncio
    return "report"


async def partner() -> str:
    await asyncio.Event().wait()  # it never answers
    return "never"


async def ask() -> str:
    questions.append(asyncio.create_task(partner(), name=f"question {len(questions) + 1}"))
    return "asked"


async def answer(path: str) -> str:
    if path == "/report":
        return await report()
    if path == "/ask":
        return await ask()
    if path in ("/order", "/broken"):
        return await order('{"items": 3}' if path == "/order" else '{"items": ')
    return "fine"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    body = (await answer(head.split()[1].decode())).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await writer.drain()
    writer.close()


async def beat() -> None:
    while True:  # the balancer takes out whoever misses a few
        await asyncio.sleep(PAUSE_S)


def visit(port: int, done: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    for path in itertools.islice(itertools.cycle(PATHS), REQUESTS):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path)
        connection.getresponse().read()
        connection.close()
        time.sleep(PAUSE_S)
    loop.call_soon_threadsafe(done.set)


async def main() -> None:
    done = asyncio.Event()
    heart = asyncio.create_task(beat(), name="heartbeat")
    server = await asyncio.start_server(serve, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    visitors = threading.Thread(
        target=visit, args=(port, done, asyncio.get_running_loop()), name="visitors"
    )
    visitors.start()
    await done.wait()
    server.close()
    visitors.join()
    heart.cancel()
    print(f"{REQUESTS} requests, {len(questions)} questions without an answer")


if __name__ == "__main__":
    asyncio.run(main())
