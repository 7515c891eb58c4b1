"""Who may ask inside a web application; passes the request on to the process that answers."""

import http.client
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from threading import Lock

from tracer import _core
from tracer.errors import TracerError
from tracer.live import listening, on_demand

PREFIXES = ("/debug/pprof", "/debug/tracer")
METRICS = "/metrics"  # ours where the application has none
MISSING = 404  # is what it then says
TIMEOUT_S = 400  # more than an answer may take
MOST_BYTES = 64 << 10  # of a body that is passed on
_DROPPED = ("connection", "transfer-encoding", "date", "server")
_LOCAL = ("127.0.0.1", "::1")
_LOCAL_HOST = re.compile(
    r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE | re.ASCII
)
_OTHER_SITES = ("cross-site", "same-site")
_FORWARDED = re.compile(r"forwarded|x-forwarded-.*|x-real-ip|via")
_OLD = (
    "1.0",
    "HTTP/1.0",
)  # what proxies speak that add no header; browsers, curl and Go do not
_TARGET = re.compile(r"/[\x21-\x7e]*")
_LOOK_S = 0.25  # after so long it is asked again whether somebody still waits
_guard = Lock()

type Answer = tuple[int, str, list[tuple[str, str]], bytes]


def is_ours(path: str) -> bool:
    """Whether a path of the application is one of the endpoints'."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)


def is_from_here(client: str, headers: Mapping[str, str], version: str) -> bool:
    """Whether somebody on this machine asks, and, as far as the request shows, not by way of a
    proxy or another name. `version` is that of HTTP."""
    is_local_name = _LOCAL_HOST.fullmatch(headers.get("host", "")) is not None
    is_direct = version not in _OLD and not any(map(_FORWARDED.fullmatch, headers))
    return client in _LOCAL and is_direct and is_local_name


def is_of_other_site(headers: Mapping[str, str]) -> bool:
    """Whether the page of another site had a browser ask."""
    host, origin = headers.get("host", ""), headers.get("origin")
    own = (f"http://{host}", f"https://{host}")
    return headers.get("sec-fetch-site") in _OTHER_SITES or origin not in (None, *own)


def forbidden() -> Answer:
    return 403, "Forbidden", [("Content-Type", "text/plain")], b"Not for whoever asks.\n"


def answer(
    method: str,
    path: str,
    query: str,
    body: bytes,
    is_gone: Callable[[], bool] = lambda: False,
) -> Answer:
    """Status, reason, headers and body; waits until it is there, or until whoever asks is
    gone."""
    target = f"{path}?{query}" if query else path
    if not _TARGET.fullmatch(target):
        return 400, "Bad Request", [("Content-Type", "text/plain")], b"Malformed.\n"
    try:
        host, token = _address()
    except TracerError as error:
        return _failed(str(error))
    connection = http.client.HTTPConnection(host, timeout=TIMEOUT_S)
    try:
        connection.request(method, target, body or None, {"Authorization": f"Bearer {token}"})
        while not _has_begun(connection.sock):
            if is_gone():
                return _failed("nobody waits for the answer")
        reply = connection.getresponse()
        headers = [(k, v) for k, v in reply.getheaders() if k.lower() not in _DROPPED]
        return reply.status, reply.reason, headers, reply.read()
    except (OSError, http.client.HTTPException) as error:
        with _guard:
            listening.stop(_core)  # the next request starts another one
        return _failed(f"the process that answers is gone ({type(error).__name__})")
    except ValueError:  # an odd method
        return 400, "Bad Request", [("Content-Type", "text/plain")], b"Malformed.\n"
    finally:
        connection.close()


def _has_begun(answers: socket.socket) -> bool:
    """Whether the answer, or its end, can be read; waits a moment for it. Not with select(),
    which takes no descriptor from 1024 on, nor poll(), which some green threads take away."""
    answers.settimeout(_LOOK_S)
    try:
        answers.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return False
    answers.settimeout(TIMEOUT_S)
    return True


def _failed(why: str) -> Answer:
    text = f"{why}\n".encode()
    return 500, "Internal Server Error", [("Content-Type", "text/plain")], text


def _address() -> tuple[str, str]:
    """Host and token of that process, which the first request starts."""
    with _guard:
        known = _core.kept.get("mounted")
        if known is not None and _core.kept.get("listening") is known[2]:
            return known[0], known[1]
        token = secrets.token_urlsafe()
        host = on_demand.start(_core, "127.0.0.1:0", token).split("/")[2]
        _core.kept["mounted"] = host, token, _core.kept["listening"]
        return host, token
