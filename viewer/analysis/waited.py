"""What a wait is for, by its name: a pool, the clock, somebody outside, or others here."""

import re
from enum import StrEnum

from tracer import schema as s

# For the end of one task; for that of several, which the waiter created.
FOR_TASKS = (
    s.AWAIT_TASK_PREFIX.removeprefix(s.AWAIT_PREFIX), "gather", "wait", "TaskGroup", "nursery",
)  # fmt: skip
_OF_PACKAGE = re.compile(r"(.+) \(([\w.]+)\)")


class For(StrEnum):
    """Who ends such waits."""

    POOL = "pool"  # whoever gives a slot back
    CLOCK = "clock"
    CHILD = "child"  # a process that this one started
    OUTSIDE = "outside"
    CALLERS = "callers"  # a service's, when they like
    HERE = "here"  # others of the program, or unknown


_PLAIN = {
    s.SLEEP: For.CLOCK,
    "sleep_forever": For.CLOCK,  # of trio, until somebody cancels it
    "subprocess": For.CHILD,
    "signal": For.OUTSIDE,
    "BlockingPortal": For.CALLERS,  # of anyio: until it is stopped
    **dict.fromkeys(("socket", "getaddrinfo", "getnameinfo"), For.OUTSIDE),
}
_KINDS = {
    s.LIBRARY_POOL: For.POOL,
    **dict.fromkeys(s.LIBRARY_OUTSIDE, For.OUTSIDE),
    **dict.fromkeys(s.LIBRARY_CALLERS, For.CALLERS),
}


def package_of(name: str) -> str:
    """`asyncpg` of `query (asyncpg)`; "" where no package gave the wait its name."""
    match = _OF_PACKAGE.fullmatch(name)
    return match[2] if match else ""


def waited_for(name: str) -> For:
    """Of a wait's name, without `await` or `lock wait:`."""
    if match := _OF_PACKAGE.fullmatch(name):
        return _KINDS.get(match[1], For.HERE)
    return _PLAIN.get(name, For.HERE)
