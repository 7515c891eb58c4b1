"""starlette: server-sent events that look for news every millisecond (polarsource/polar#729, incoai/splash#57).
truth: `news` of 4 clients sleeps 1 ms 1,000s of times; 5 items come in 1.3 s."""
import asyncio

import httpx
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

ITEMS = []


async def news(request):
    seen = 0
    while seen < 5:
        if len(ITEMS) > seen:
            yield f"data: {ITEMS[seen]}\n\n"
            seen += 1
        await asyncio.sleep(0.001)


async def stream(request):
    return StreamingResponse(news(request), media_type="text/event-stream")


async def editor():
    for n in range(5):
        await asyncio.sleep(0.25)
        ITEMS.append(n)


async def main():
    app = Starlette(routes=[Route("/", stream)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        await asyncio.gather(editor(), *(client.get("/") for _ in range(4)))


asyncio.run(main())
