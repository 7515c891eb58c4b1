"""Names for what tasks wait for: code of a library, and the wait that it means."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType
    from typing import Any

# Which name counts, where several functions await each other: the innermost; but an "outward"
# one before those inside it, and a "last" one only if there is no other.
INNER, OUTWARD, LAST = range(3)


def find(start: "Any", path: str) -> "Any":
    """`start.path`, or None if there is no such thing."""
    for name in path.split("."):
        start = getattr(start, name, None)
    return start


def label(
    core: "ModuleType", library: str, waits: "Iterable[tuple[str, str, str, int]]"
) -> None:
    """Names the waits of a library's code: (module, function, name, which name counts)."""
    for module, path, what, outward in waits:
        function = find(sys.modules.get(f"{library}.{module}"), path)
        if hasattr(function, "__code__"):
            core.label_code(function.__code__, f"await {what}", outward)
