"""A page served by this process for as long as a test asks it."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPMessage

from viewer.server.http import HOST, Server, Site


@contextmanager
def served(site: Site) -> Iterator[Server]:
    server = Server(site)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="test page")
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(
    server: Server, path: str, method: str = "GET", host: str | None = None, **headers: str
) -> tuple[int, HTTPMessage, bytes]:
    """Status, headers and body; `path` is sent as it is."""
    connection = http.client.HTTPConnection(HOST, server.server_port, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"{HOST}:{server.server_port}")
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body
