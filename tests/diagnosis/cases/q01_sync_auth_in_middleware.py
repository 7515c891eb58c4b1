"""A middleware asks the identity server with a blocking client, for each request
(https://github.com/Sanoy24/fastapi-ecommerce/pull/63 is the same of a log sink).
truth: `authenticate` blocks the loop 30 ms per request in urlopen; 30 requests wait for each other."""
import asyncio
import http.server
import threading
import time
import urllib.request

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route


class Identity(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.03)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


identity = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Identity)
threading.Thread(target=identity.serve_forever, name="identity", daemon=True).start()
URL = f"http://127.0.0.1:{identity.server_port}/introspect"


class TokenMiddleware(BaseHTTPMiddleware):
    def authenticate(self, token):
        with urllib.request.urlopen(URL) as answer:
            return answer.status == 204

    async def dispatch(self, request, call_next):
        self.authenticate(request.headers.get("authorization"))
        return await call_next(request)


async def basket(request):
    await asyncio.sleep(0.005)
    return PlainTextResponse("3 items")


app = Starlette(routes=[Route("/basket", basket)], middleware=[Middleware(TokenMiddleware)])


async def main():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        start = time.monotonic()
        await asyncio.gather(*(client.get("/basket") for _ in range(30)))
        print(f"truth {time.monotonic() - start:.2f} s for 30 requests of 35 ms")


asyncio.run(main())
