"""What gunicorn, uvicorn and hypercorn serve: each kind of worker has a fault of its own.

Every answer says which process gave it.
"""

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

LOCK = threading.Lock()


def holds_a_lock() -> None:
    with LOCK:  #: lock
        time.sleep(0.06)


def keeps_a_transaction_open() -> None:
    database = sqlite3.connect(os.environ["DATABASE"], timeout=60, isolation_level=None)
    database.execute("begin immediate")  #: database
    database.execute("insert into visits values (1)")
    time.sleep(0.04)
    database.execute("commit")
    database.close()


def computes() -> None:
    """No patch of the standard library makes it wait for others."""
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 250_000)


def hangs() -> None:
    threading.Event().wait()


FAULTS = {
    "/computes": computes,
    "/hangs": hangs,
    "/lock": holds_a_lock,
    "/database": keeps_a_transaction_open,
}


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    FAULTS.get(environ["PATH_INFO"], lambda: None)()  #: computes
    body = environ["PATH_INFO"].encode()
    headers = [("Content-Length", str(len(body))), ("Worker", str(os.getpid()))]
    start_response("200 OK", headers)
    return [body]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    if scope["path"] == "/blocking":
        time.sleep(0.04)  #: blocking
    body = scope["path"].encode()
    headers = [
        (b"content-length", str(len(body)).encode()),
        (b"worker", str(os.getpid()).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
