"""The endpoints inside a WSGI application: `app = tracer.integrations.wsgi.Endpoints(app)`."""

from collections.abc import Callable, Iterable
from typing import Any

from tracer.integrations import asking

type _Environ = dict[str, Any]
type _App = Callable[[_Environ, Callable[..., Any]], Iterable[bytes]]


class Endpoints:
    """Answers /debug/pprof/ and /debug/tracer/, and passes everything else on to `app`.

    `allows` says of a request's environ whether it may be answered. Without it, only this
    machine is, under its own name and not by way of a proxy.
    """

    def __init__(self, app: _App, allows: Callable[[_Environ], bool] | None = None) -> None:
        self._app, self._allows = app, allows

    def __call__(
        self, environ: _Environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not asking.is_ours(path):
            return self._app(environ, start_response)
        status, reason, headers, data = self._answer(path, environ)
        start_response(f"{status} {reason}", headers)
        return [data]

    def _answer(self, path: str, environ: _Environ) -> asking.Answer:
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        version = environ.get("SERVER_PROTOCOL", "")
        here = asking.is_from_here(environ.get("REMOTE_ADDR", ""), headers, version)
        may = self._allows(environ) if self._allows is not None else here
        if not may or asking.is_of_other_site(headers):
            return asking.forbidden()
        is_post = environ["REQUEST_METHOD"] == "POST"
        size = (environ.get("CONTENT_LENGTH") or "0") if is_post else "0"
        length = min(int(size[:9]), asking.MOST_BYTES) if size.isdecimal() else 0
        body = environ["wsgi.input"].read(length) if length else b""
        query = environ.get("QUERY_STRING", "")
        return asking.answer(environ["REQUEST_METHOD"], path, query, body)
