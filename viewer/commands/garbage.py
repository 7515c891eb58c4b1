"""Commands without garbage collections, which would find nothing in what they make.

What a command read and worked out is millions of objects. Nobody takes them apart one by one
when the process ends: the last command's stay until the kernel takes the memory back. What
becomes free before is used again, and not given back.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

from viewer.trace.engine import keep_memory


@contextmanager
def uncollected() -> Iterator[None]:
    """Switches collections off meanwhile; also a decorator.

    What a command makes of a trace lives until it ends: millions of objects, through which
    each collection would look in vain; also the last ones, when the process ends.
    """
    keep_memory()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


_last: list[object] = []


def keep[T](value: T) -> T:
    """The value, which stays until the process ends, or the next command keeps its own."""
    _last[:] = [value]
    return value


@atexit.register
def _leave() -> None:
    _last.append(_last)  # a circle, and a frozen one is never looked at again
    gc.freeze()
