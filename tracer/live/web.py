"""Asks a program that listens for its counters, over HTTP."""

import json
import os
import re
from dataclasses import dataclass
from typing import Any

from tracer.errors import TracerError
from tracer.live.client import MOST_BYTES, TIMEOUT_S, NotLiveError

COUNTERS = "/debug/tracer/counters"
TOKEN = "TRACER_TOKEN"  # as of who listens
_HOST_AND_PORT = re.compile(r"([\w.-]*|\[[0-9a-fA-F:.]+\]):\d{1,5}", re.ASCII)
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_SCHEMES = ("http", "https")
_OURS = ("/debug/pprof", "/debug/tracer")
_SENTENCE_BYTES = 200


@dataclass(frozen=True)
class Site:
    """Where a program listens, or an application that has the endpoints in it."""

    scheme: str
    host: str  # as in an address: [::1]:6060
    prefix: str  # of a path
    token: str

    @property
    def address(self) -> str:
        """Without the token."""
        return f"{self.scheme}://{self.host}{self.prefix}"


def site_of(target: str) -> Site | None:
    """`127.0.0.1:6060`, `:6060`, or a URL, also the one that `--listen` prints; None for what
    is none of these.

    Raises NotLiveError for a URL that cannot be asked.
    """
    token = os.environ.get(TOKEN, "")
    if _HOST_AND_PORT.fullmatch(target):
        host = f"127.0.0.1{target}" if target.startswith(":") else target
        return Site("http", host, "", token)
    scheme, _, rest = target.partition("://")
    if not rest or scheme.lower() not in _SCHEMES:
        return None
    from urllib.parse import unquote, urlsplit  # sockets do without them

    url = urlsplit(target)
    prefix = url.path.rstrip("/")
    for ours in _OURS:
        prefix = prefix.partition(ours)[0]
    host = url.netloc.rpartition("@")[2]
    if not host or not _VISIBLE.fullmatch(host + prefix):
        raise NotLiveError(f"{scheme}://{host}{prefix} is not an address that tracer can ask.")
    return Site(scheme.lower(), host, prefix, unquote(url.password or "") or token)


def counters(site: Site) -> Any:
    """What `tracer metrics --json` prints of that program.

    Raises NotLiveError when nobody answers there, TracerError for any other answer.
    """
    import http.client

    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    headers = {"Authorization": f"Bearer {site.token}"} if site.token else {}
    try:
        connection = kinds[site.scheme](site.host, timeout=TIMEOUT_S)
        try:
            connection.request("GET", site.prefix + COUNTERS, headers=headers)
            with connection.getresponse() as reply:
                status, body = reply.status, reply.read(MOST_BYTES)
        finally:
            connection.close()
    except TimeoutError:
        raise TracerError(f"{site.address} does not answer.") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise NotLiveError(f"cannot ask {site.address}: {why}.") from None
    except (http.client.HTTPException, ValueError) as error:
        raise TracerError(f"cannot ask {site.address}: {error!r}.") from None
    if status == http.HTTPStatus.OK:
        try:
            told = json.loads(body.decode(errors="replace"))
        except ValueError:
            told = None
        if isinstance(told, dict) and "now_ns" in told:
            return told
        raise TracerError(f"{site.address} is not a tracer recording.")
    raise TracerError(_refusal(site, status, body))


def _refusal(site: Site, status: int, body: bytes) -> str:
    """In the words of who answers, where they can be ours."""
    if status == 401:
        return f"{site.address} needs its token: set {TOKEN}."
    sentence = body[:_SENTENCE_BYTES].decode(errors="replace").strip()
    if status == 404 or not sentence or not sentence.isprintable():
        return f"{site.address} is not a tracer recording, or an older one (HTTP {status})."
    return f"{site.address} refused: {sentence.removesuffix('.')}."
