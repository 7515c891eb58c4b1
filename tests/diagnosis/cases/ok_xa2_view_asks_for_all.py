"""An endpoint asks another service for all rows at once."""
import asyncio
import os
import signal
import socketserver
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler

import httpx
import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.middleware.base import BaseHTTPMiddleware
from tenacity import retry, stop_after_attempt, wait_exponential

PORT = 24000 + os.getpid() % 2000
UPSTREAM = PORT + 2000
CLIENTS = [(2, "/orders")] * 2


class Customers:
    def __init__(self, http):
        self.http = http

    @retry(stop=stop_after_attempt(3), wait=wait_exponential(0.1))
    async def get(self, customer):
        response = await self.http.get(f"/customer/{customer}")
        response.raise_for_status()
        return response.json()


async def customers(request: Request):
    return Customers(request.app.state.http)


router = APIRouter()


@router.get("/orders")
async def list_orders(found: Customers = Depends(customers)):
    every = await asyncio.gather(*(found.get(row) for row in range(15)))
    return [{"order": row, "who": who["name"]} for row, who in enumerate(every)]


@router.get("/ping")
async def ping():
    return {}


class Timing(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        begun = time.perf_counter()
        response = await call_next(request)
        response.headers["x-took"] = f"{time.perf_counter() - begun:.3f}"
        return response


app = FastAPI()
app.include_router(router)
app.add_middleware(Timing)
app.state.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{UPSTREAM}")


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(0.04)
        self.send_response(200)
        self.send_header("content-length", "15")
        self.end_headers()
        self.wfile.write(b'{"name": "ann"}')

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 128


def load(parent):
    upstream = Server(("127.0.0.1", UPSTREAM), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()

    def get(path):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=8).read()
        except urllib.error.HTTPError:
            return b""

    for _ in range(400):
        try:
            get("/ping")
            break
        except OSError:
            time.sleep(0.02)
    clients = [threading.Thread(target=lambda path=path: [get(path) for _ in range(times)]) for times, path in CLIENTS]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    os.kill(parent, signal.SIGINT)
    os._exit(0)


if __name__ == "__main__":
    me = os.getpid()
    if os.fork() == 0:
        load(me)
    uvicorn.run(app, port=PORT, log_level="critical")
