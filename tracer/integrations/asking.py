"""Who may ask inside a web application; passes the request on to the process that answers."""

import http.client
import secrets
from collections.abc import Mapping
from threading import Lock

from tracer import _core
from tracer.errors import TracerError
from tracer.live import listening, on_demand

PREFIXES = ("/debug/pprof", "/debug/tracer")
TIMEOUT_S = 400  # more than an answer may take
MOST_BYTES = 64 << 10  # of a body that is passed on
_DROPPED = ("connection", "transfer-encoding", "date", "server")
_LOCAL = ("127.0.0.1", "::1")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_OTHER_SITES = ("cross-site", "same-site")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_guard = Lock()

type Answer = tuple[int, str, list[tuple[str, str]], bytes]


def is_ours(path: str) -> bool:
    """Whether a path of the application is one of the endpoints'."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)


def is_from_here(client: str, headers: Mapping[str, str]) -> bool:
    """Whether somebody on this machine asks, and not by way of a proxy or another name."""
    name = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
    is_direct = not any(header in headers for header in _FORWARDED)
    return client in _LOCAL and is_direct and name.lower() in _LOCAL_NAMES


def is_of_other_site(headers: Mapping[str, str]) -> bool:
    """Whether the page of another site had a browser ask."""
    host, origin = headers.get("host", ""), headers.get("origin")
    own = (f"http://{host}", f"https://{host}")
    return headers.get("sec-fetch-site") in _OTHER_SITES or origin not in (None, *own)


def forbidden() -> Answer:
    return 403, "Forbidden", [("Content-Type", "text/plain")], b"Not for whoever asks.\n"


def answer(method: str, path: str, query: str, body: bytes) -> Answer:
    """Status, reason, headers and body; waits until it is there."""
    try:
        host, token = _address()
    except TracerError as error:
        return _failed(str(error))
    connection = http.client.HTTPConnection(host, timeout=TIMEOUT_S)
    try:
        target = f"{path}?{query}" if query else path
        connection.request(method, target, body or None, {"Authorization": f"Bearer {token}"})
        reply = connection.getresponse()
        headers = [(k, v) for k, v in reply.getheaders() if k.lower() not in _DROPPED]
        return reply.status, reply.reason, headers, reply.read()
    except (OSError, http.client.HTTPException) as error:
        with _guard:
            listening.stop(_core)  # the next request starts another one
        return _failed(f"the process that answers is gone ({type(error).__name__})")
    except ValueError:  # http.client takes no control characters
        return 400, "Bad Request", [("Content-Type", "text/plain")], b"Malformed.\n"
    finally:
        connection.close()


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
