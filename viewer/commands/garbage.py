"""Commands without garbage collections, which would find nothing in what they make."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Switches collections off meanwhile; also a decorator.

    What a command makes of a trace lives until it ends: millions of objects, through which
    each collection would look in vain; also the last ones, when the process ends.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


atexit.register(gc.freeze)
