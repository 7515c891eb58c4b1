"""Whom `tracer top` and `tracer metrics` ask: a control socket, or an address over HTTP."""

from collections.abc import Callable
from typing import Any

from tracer.live import client, web


def counters_of(target: str | None) -> Callable[[], Any]:
    """What to call for the counters of a pid, the path of a socket, an address where a program
    listens, or the only recording there is. Calling it raises NotLiveError when that has
    ended, TracerError for any other failure.

    Raises NotLiveError when there is nothing to ask.
    """
    site = web.site_of(target) if target is not None else None
    if site is not None:
        return lambda: web.counters(site)
    address = client.only_address() if target is None else client.address_of(target)
    return lambda: client.ask(address, "metrics")
