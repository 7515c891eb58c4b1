"""HEALTHY: Django under uvicorn: an async view and a quick sync one, 6 clients."""
import asyncio
import socket

import django
import httpx
import uvicorn
from django.conf import settings
from django.http import JsonResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
django.setup()
from django.core.asgi import get_asgi_application


async def quote(request):
    await asyncio.sleep(0.01)
    return JsonResponse({"price": 1})


def health(request):
    return JsonResponse({"ok": True})


urlpatterns = [path("quote", quote), path("health", health)]


async def client(http):
    for _ in range(12):
        await http.get("/quote")
        await http.get("/health")


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(get_asgi_application(), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=base, verify=False) as http:
        await asyncio.gather(*(client(http) for _ in range(6)))
    server.should_exit = True
    await serving


asyncio.run(main())
