"""Conditions on which a flight recording takes a snapshot: `loop>100ms`, `signal:USR2`, …

Imports nothing that a plain `python` has not loaded already.
"""

import _signal  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

EXCEPTION, EXIT = "exception", "exit"  # looked at when the program ends
# As in core/output/triggers.h, in that order.
TIMES = ("loop", "lock", "gil", "gc", "ready", "task", "region")
NUMBERS = ("tasks", "threads", "rss")
SIGNAL = "signal"
KINDS = (*TIMES, *NUMBERS, SIGNAL)
MOST = 32
NAME_BYTES = 95
_REFUSED = (
    *("SIGKILL", "SIGSTOP", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP"),
    "SIGRTMAX",  # the recorder may use it for CPU samples
)
_NS = {"us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000}
_NS["h"] = 60 * _NS["m"]
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
EXAMPLES = (
    "loop>100ms, lock>50ms, gil>50ms, gc>50ms, ready>200ms, task>5s, region NAME>300ms, "
    "tasks>10000, threads>200, rss>2G, signal:USR2, exception or exit"
)

type Condition = tuple[int, int, str, str]  # (kind, limit, name, as it was written)


def parse(conditions: "Iterable[str]") -> list[Condition]:
    """Those that the writer looks at; `exception` and `exit` are none of them. Raises
    ValueError for one that makes no sense."""
    found = [
        _parse(text.strip()) for text in conditions if text.strip() not in (EXCEPTION, EXIT)
    ]
    if len(found) > MOST:
        raise ValueError(f"{len(found)} conditions: there can be {MOST}")
    return found


def _parse(text: str) -> "Condition":
    if len(text.encode()) > NAME_BYTES:
        raise ValueError(f"{text[:40]!r}… is longer than {NAME_BYTES} bytes")
    kind, colon, name = text.partition(":")
    if colon and kind == SIGNAL:
        return KINDS.index(SIGNAL), _signal_number(text, name), "", text
    left, above, limit = text.rpartition(">")
    word, _, name = left.strip().partition(" ")
    if not above or word not in KINDS or word == SIGNAL or bool(name) != (word == "region"):
        raise ValueError(f"{text!r} is not a condition. Use {EXAMPLES}")
    number = time_ns(limit) if word in TIMES else _number(limit, word)
    if not number:
        example = "100ms or 5s" if word in TIMES else "2G" if word == "rss" else "200"
        raise ValueError(f"{text!r}: {limit.strip()!r} is not a limit such as {example}")
    return KINDS.index(word), number, name.strip(), text


def _split(text: str) -> tuple[float, str]:
    """`1.5ms` -> 1.5 and its unit; 0 if it is no number."""
    text = text.strip()
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if not digits.replace(".", "", 1).isdecimal():
        return 0, ""
    return float(digits), text[len(digits) :]


def time_ns(text: str) -> int:
    """`30s` -> ns; 0 if it is no time."""
    number, unit = _split(text)
    return int(number * _NS.get(unit, 0))


def size_bytes(text: str) -> int:
    """`64M` -> bytes; 0 if it is no size."""
    number, unit = _split(text)
    return int(number * _SIZES.get(unit.upper(), 0))


def _number(text: str, word: str) -> int:
    return size_bytes(text) if word == "rss" else int(text) if text.strip().isdecimal() else 0


def _signal_number(text: str, name: str) -> int:
    """Not of signals that stand for the program's own faults, or that nobody can catch."""
    full = name if name.startswith("SIG") else f"SIG{name}"
    number = getattr(_signal, full, 0) if full.isalnum() else 0
    if not number or full in _REFUSED:
        raise ValueError(f"{text!r}: {name!r} is not a signal to wait for. Use signal:USR2")
    return int(number)
