"""A login hashes a password on the loop's thread (Starlette, hashlib.scrypt).
truth: `login` computes 60 ms and more in `check_password`, 12 times."""
import asyncio
import hashlib
import json

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
import uvicorn
import httpx

USERS = {f"user{n}": b"salt%d" % n for n in range(20)}


def check_password(name, password):
    salt = USERS[name]
    return hashlib.scrypt(password.encode(), salt=salt, n=2 ** 14, r=8, p=2, maxmem=2 ** 26).hex()


async def login(request):
    body = await request.json()
    return JSONResponse({"token": check_password(body["name"], body["password"])})


async def feed(request):
    await asyncio.sleep(0.005)
    return JSONResponse({"items": list(range(50))})


app = Starlette(routes=[Route("/login", login, methods=["POST"]), Route("/feed", feed)])


async def user(client, n):
    await asyncio.sleep(n * 0.11)
    await client.post("/login", content=json.dumps({"name": f"user{n}", "password": "secret"}))
    for _ in range(15):
        await client.get("/feed")
        await asyncio.sleep(0.06)


async def main():
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        await asyncio.gather(*(user(client, n) for n in range(12)))
    server.should_exit = True
    await task


asyncio.run(main())
