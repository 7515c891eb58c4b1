"""Who may ask: the names of this machine, the token; no pages of other sites."""

import base64
import binascii
import hmac
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address

from viewer.endpoints.request import Refusal, Request

_OTHER_SITES = ("cross-site", "same-site")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Rules:
    """`hosts`: the values of `Host` that are answered; empty: any, since a token is needed."""

    hosts: frozenset[str]
    token: str = ""

    @classmethod
    def of(cls, host: str, port: int, token: str) -> "Rules":
        """The rules of a server at this address."""
        if not is_loopback(host):
            return cls(frozenset(), token)
        names = {*_LOCAL_NAMES, f"[{host}]" if ":" in host else host}
        return cls(frozenset(f"{name}:{port}" for name in names), token)

    def check(self, request: Request, methods: tuple[str, ...]) -> None:
        """Raises Refusal unless the request may be answered.

        A page of another site can make a browser send requests here: by its own name, which it
        lets resolve to this machine (hence `Host`), or by ours (hence `Origin` and
        `Sec-Fetch-Site`).
        """
        host = request.headers.get("host", ())
        if len(host) != 1 or (self.hosts and host[0].lower() not in self.hosts):
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                "This server answers only to the address that it printed.",
            )
        if request.header("sec-fetch-site") in _OTHER_SITES or not self._is_own(request):
            raise Refusal(HTTPStatus.FORBIDDEN, "Pages of other sites get no answer.")
        if self.token and not hmac.compare_digest(
            _token_of(request).encode(), self.token.encode()
        ):
            raise Refusal(
                HTTPStatus.UNAUTHORIZED,
                "A token is needed: as `Authorization: Bearer TOKEN`, or as the password in "
                "http://any:TOKEN@HOST:PORT/.",
                WWW_Authenticate='Basic realm="tracer", charset="UTF-8"',
            )
        if request.method not in methods:
            raise Refusal(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "This method is not answered here.",
                Allow=", ".join(methods),
            )

    def _is_own(self, request: Request) -> bool:
        origins = request.headers.get("origin", ())
        own = {f"{scheme}://{request.header('host')}" for scheme in ("http", "https")}
        return all(origin.lower() in own for origin in origins)


def _token_of(request: Request) -> str:
    scheme, _, value = request.header("authorization").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return text.partition(":")[2]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
