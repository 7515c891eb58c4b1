"""The endpoints inside a WSGI application: `app = tracer.integrations.wsgi.Endpoints(app)`."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tracer.integrations import asking

type _Environ = dict[str, Any]
type _App = Callable[[_Environ, Callable[..., Any]], Iterable[bytes]]


class Endpoints:
    """Answers /debug/pprof/ and /debug/tracer/, and passes everything else on to `app`. Where
    `app` has no /metrics (404), it answers that, too.

    `allows` says of a request's environ whether it may be answered. Without it, only this
    machine is, under its own name and not by way of a proxy.
    """

    def __init__(self, app: _App, allows: Callable[[_Environ], bool] | None = None) -> None:
        self._app, self._allows = app, allows

    def __call__(
        self, environ: _Environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if (
            path == asking.METRICS
            and environ["REQUEST_METHOD"] == "GET"
            and self._may(environ)
        ):
            return self._unless_missing(environ, start_response)
        if not asking.is_ours(path):
            return self._app(environ, start_response)
        return self._ours(path, environ, start_response)

    def _ours(
        self, path: str, environ: _Environ, start_response: Callable[..., Any]
    ) -> list[bytes]:
        status, reason, headers, data = self._answer(path, environ)
        start_response(f"{status} {reason}", headers)
        return [data]

    def _unless_missing(
        self, environ: _Environ, start_response: Callable[..., Any]
    ) -> Iterator[bytes]:
        """The application's answer, unless it does not know the path."""
        is_missing = False

        def start(status: str, *more: Any) -> Callable[[bytes], object]:
            nonlocal is_missing
            is_missing = status.startswith(str(asking.MISSING))
            if is_missing:
                return lambda _data: None
            written: Callable[[bytes], object] = start_response(status, *more)
            return written

        body = self._app(environ, start)
        try:
            for data in body:
                if is_missing:
                    break
                yield data
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
        if is_missing:
            yield from self._ours(asking.METRICS, environ, start_response)

    def _may(self, environ: _Environ) -> bool:
        headers = _headers(environ)
        version = environ.get("SERVER_PROTOCOL", "")
        here = asking.is_from_here(environ.get("REMOTE_ADDR", ""), headers, version)
        may = self._allows(environ) if self._allows is not None else here
        return may and not asking.is_of_other_site(headers)

    def _answer(self, path: str, environ: _Environ) -> asking.Answer:
        if not self._may(environ):
            return asking.forbidden()
        is_post = environ["REQUEST_METHOD"] == "POST"
        size = (environ.get("CONTENT_LENGTH") or "0") if is_post else "0"
        length = min(int(size[:9]), asking.MOST_BYTES) if size.isdecimal() else 0
        body = environ["wsgi.input"].read(length) if length else b""
        query = environ.get("QUERY_STRING", "")
        return asking.answer(environ["REQUEST_METHOD"], path, query, body)


def _headers(environ: _Environ) -> dict[str, str]:
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
