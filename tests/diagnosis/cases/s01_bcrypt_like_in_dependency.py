"""A dependency of FastAPI hashes an API key with scrypt, as a coroutine
(after reports of password hashing in `async def` dependencies).
truth: `current_user` blocks the loop some 50 ms per request in hashlib.scrypt; 16 requests queue up."""
import asyncio
import hashlib
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, Header

app = FastAPI()


async def current_user(x_key: Annotated[str, Header()]):
    return hashlib.scrypt(x_key.encode(), salt=b"pepper", n=2**14, r=8, p=1).hex()[:6]


@app.get("/me")
async def me(user: Annotated[str, Depends(current_user)]):
    await asyncio.sleep(0.005)
    return {"user": user}


async def main():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        await asyncio.gather(*(client.get("/me", headers={"x-key": f"k{n}"}) for n in range(16)))


asyncio.run(main())
