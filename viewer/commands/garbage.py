"""Commands without garbage collections, which would find nothing in what they make."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Switches collections off meanwhile; also a decorator.

    What a command makes of a trace lives until it ends: millions of objects, through which
    each collection would look in vain.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
