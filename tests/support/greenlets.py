"""Programs of greenlets: each runs in a thread of its own, which is their hub's."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.recordings import join_to_the_end, record_here
from tests.support.validator.rules import Summary

gevent = pytest.importorskip("gevent", reason="needs gevent: `uv sync --all-groups`")


def in_thread(main: Callable[[], object], name: str) -> None:
    """Runs it on a hub of its own; raises what it raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            main()
        except BaseException as error:
            raised.append(error)
        finally:
            gevent.get_hub().destroy(destroy_loop=True)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    join_to_the_end(thread)
    for error in raised:
        raise error


def record_greenlets(
    main: Callable[[], object], directory: Path, *, signals: tuple[str, ...] | None = None
) -> Summary:
    """Runs it under a recording."""
    path = directory / "t.pftrace"
    if signals is None:
        return record_here(lambda: in_thread(main, "hub"), path)[0]
    return record_here(lambda: in_thread(main, "hub"), path, signals=signals)[0]
