"""A coroutine asks its own server with a blocking client
(https://pytroubles.com/en/ampposts/id2884-flask-gunicorn-single-worker-deadlock-internal-http-calls-hang-without-extra-workers).
truth: `report` blocks the loop for 1 s in recv; the answer could come only from that loop."""
import threading
import time
import urllib.request

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

PORT = 18471


async def data(request):
    return PlainTextResponse("42")


async def report(request):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/data", timeout=1.0) as answer:
            return PlainTextResponse(answer.read())
    except TimeoutError:
        return PlainTextResponse("gave up")


app = Starlette(routes=[Route("/data", data), Route("/report", report)])
server = uvicorn.Server(uvicorn.Config(app, port=PORT, log_level="warning", loop="asyncio"))


def ask():
    while not server.started:
        time.sleep(0.01)
    print("truth", urllib.request.urlopen(f"http://127.0.0.1:{PORT}/report").read())
    server.should_exit = True


threading.Thread(target=ask, name="client").start()
server.run()
