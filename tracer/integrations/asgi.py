"""The endpoints inside an ASGI application: `tracer.integrations.asgi.Endpoints(app)`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from threading import Event
from typing import Any

from tracer.integrations import asking

type _Message = dict[str, Any]
type _Send = Callable[[_Message], Awaitable[None]]
type _Receive = Callable[[], Awaitable[_Message]]
type _App = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class Endpoints:
    """Answers /debug/pprof/ and /debug/tracer/, and passes everything else on to `app`. Where
    `app` has no /metrics (404), it answers that, too.

    `allows` says of a request's scope whether it may be answered. Without it, only this
    machine is, under its own name and not by way of a proxy. A thread waits for the answer, so
    the loop goes on. For servers on asyncio.
    """

    def __init__(self, app: _App, allows: Callable[[_Message], bool] | None = None) -> None:
        self._app, self._allows = app, allows

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "http" and scope["path"] == asking.METRICS:
            if await self._is_answered(scope, receive, send):
                return
        elif scope["type"] != "http" or not asking.is_ours(scope["path"]):
            await self._app(scope, receive, send)
            return
        status, _, headers, data = await self._answer(scope, receive)
        lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": data})

    async def _is_answered(self, scope: _Message, receive: _Receive, send: _Send) -> bool:
        """Whether the application has answered; what it says of a path that it does not know
        reaches nobody who may ask us."""
        if scope["method"] != "GET" or not self._may(scope):
            await self._app(scope, receive, send)
            return True
        is_missing = False

        async def unless_missing(message: _Message) -> None:
            nonlocal is_missing
            if message["type"] == "http.response.start":
                is_missing = message["status"] == asking.MISSING
            if not is_missing:
                await send(message)

        await self._app(scope, receive, unless_missing)
        return not is_missing

    def _may(self, scope: _Message) -> bool:
        headers = _joined(scope.get("headers", ()))
        client: str = (scope.get("client") or ("",))[0]
        here = asking.is_from_here(client, headers, scope.get("http_version", ""))
        may = self._allows(scope) if self._allows is not None else here
        return may and not asking.is_of_other_site(headers)

    async def _answer(self, scope: _Message, receive: _Receive) -> asking.Answer:
        if not self._may(scope):
            return asking.forbidden()
        query = scope.get("query_string", b"").decode("latin-1")
        body = await _body(receive) if scope["method"] == "POST" else b""
        gone = Event()
        watch = asyncio.create_task(_watch(receive, gone))
        try:
            return await asyncio.to_thread(
                asking.answer, scope["method"], scope["path"], query, body, gone.is_set
            )
        finally:
            gone.set()  # if this task is cancelled, the thread goes on
            watch.cancel()


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name; values of one name have commas between them, so that two hosts are none."""
    found: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


async def _watch(receive: _Receive, gone: Event) -> None:
    # The body comes first. A middleware may give it for ever: then nobody sees who leaves.
    ends = 0
    while ends < 2:
        message = await receive()
        if message["type"] == "http.disconnect":
            gone.set()
            return
        ends += not message.get("more_body")


async def _body(receive: _Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > asking.MOST_BYTES:
            return bytes(body[: asking.MOST_BYTES])
