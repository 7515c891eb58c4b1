"""A chat endpoint that iterates a synchronous SDK's stream inside `async def`
(many reports "FastAPI streaming blocks other requests", e.g. openai-python and litellm issues).

Truth: each answer of 30 tokens, one per 25 ms, is read with a blocking socket inside the
coroutine `chat`; `health`, which needs nothing, waits up to the rest of a token each time.
"""

import asyncio
import socket
import threading
import time

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
import httpx


def model_server(listener):
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            return

        def answer(conn=conn):
            with conn:
                conn.recv(100)
                for n in range(30):
                    time.sleep(0.025)
                    conn.sendall(b"tok%02d\n" % n)

        threading.Thread(target=answer, daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=model_server, args=(listener,), daemon=True, name="model").start()


class Client:
    def stream(self, prompt):
        with socket.create_connection(listener.getsockname()) as sock:
            sock.sendall(prompt)
            with sock.makefile("rb") as file:
                yield from file


client = Client()


async def chat(request):
    async def body():
        for token in client.stream(b"hello"):
            yield token

    return StreamingResponse(body())


async def health(request):
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/chat", chat), Route("/health", health)])


async def main():
    worst = 0.0
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        chats = [asyncio.create_task(http.get("/chat")) for _ in range(3)]
        while not all(c.done() for c in chats):
            begun = time.perf_counter()
            await http.get("/health")
            worst = max(worst, time.perf_counter() - begun)
            await asyncio.sleep(0.02)
    print(f"truth: health took up to {worst:.2f} s")


asyncio.run(main())
