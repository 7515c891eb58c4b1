"""A request, read strictly: what is odd about it is refused before anything looks at it."""

import re
import select
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl

from viewer.endpoints.limits import BODY_BYTES, HEAD_BYTES

_LINE = re.compile(r"([A-Z]{1,16}) (/[\x21-\x7e]*) HTTP/1\.([01])")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t]*?)[ \t]*")
_MOST_FIELDS = 20  # of a query


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` have lower-case names, and every value that came with each. `wait` lets some
    seconds pass, and raises ConnectionError as soon as whoever asks is gone."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: bytes = b""
    raw_query: str = ""
    wait: Callable[[float], None] = time.sleep

    def header(self, name: str) -> str:
        """The value of a header that came exactly once; else ""."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else ""


class Refusal(Exception):
    """What is answered instead; the text is a sentence."""

    def __init__(self, status: HTTPStatus, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def read_request(connection: socket.socket, until: float) -> Request:
    """The one request of a connection. `until` is of time.monotonic().

    Raises Refusal, ConnectionError when the other side is gone, TimeoutError when it is slow.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        if len(data) > HEAD_BYTES:
            raise Refusal(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too long."
            )
        data += _receive(connection, until)
    head, _, body = data.partition(b"\r\n\r\n")
    if len(head) > HEAD_BYTES:
        raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too long.")
    request = parse(head)
    size = _body_size(request)
    while len(body) < size:
        body += _receive(connection, until)
    return Request(
        request.method,
        request.path,
        request.query,
        request.headers,
        body[:size],
        request.raw_query,
        lambda seconds: _wait(connection, seconds),
    )


def _receive(connection: socket.socket, until: float) -> bytes:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    data = connection.recv(1 << 16)
    if not data:
        raise ConnectionError("the other side has closed the connection")
    return data


def _wait(connection: socket.socket, seconds: float) -> None:
    gone = select.poll()
    gone.register(connection, select.POLLRDHUP)
    if gone.poll(seconds * 1000):
        raise ConnectionError("the other side has closed the connection")


def parse(head: bytes) -> Request:
    """Request line and headers. Raises Refusal."""
    try:
        first, *lines = head.decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        raise _bad("The request has bytes that are not ASCII.") from None
    match = _LINE.fullmatch(first)
    if match is None:
        raise _bad("The first line is no request that this server understands.")
    headers: dict[str, tuple[str, ...]] = {}
    for line in lines:
        pair = _HEADER.fullmatch(line)
        if pair is None:
            raise _bad("A header is malformed.")
        name = pair[1].lower()
        headers[name] = (*headers.get(name, ()), pair[2])
    path, _, query = match[2].partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise _bad("The query has too many fields.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)  # as Go: the first counts
    return Request(match[1], path, fields, headers, raw_query=query)


def _body_size(request: Request) -> int:
    if "transfer-encoding" in request.headers:
        raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "A body must say how long it is.")
    told = request.headers.get("content-length", ("0",))
    if len(set(told)) != 1 or not re.fullmatch(r"\d{1,10}", told[0]):
        raise _bad("Content-Length is malformed.")
    size = int(told[0])
    if size > BODY_BYTES:
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too long.")
    return size


def _bad(text: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, text)
