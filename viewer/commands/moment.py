"""A moment as a user types it: since the trace began, or a time of day."""

import re
from datetime import UTC, datetime, time, timedelta

from tracer.errors import NotInTraceError, UsageError
from tracer.units import duration
from viewer.analysis.report import heading
from viewer.render.text.overview import when as from_to
from viewer.trace.model import Model

_UNITS = {"": 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3, "ns": 1}


def parse_time(text: str) -> int | time:
    """`12.3s`, `250ms`, `12.3` (seconds) -> ns; `14:03:22.5` -> a time of day.

    Raises UsageError.
    """
    if re.fullmatch(r"\d\d?:\d\d(:\d\d(\.\d{1,6})?)?", text.strip()):
        hour, minute, *second = text.strip().split(":")
        whole, _, part = (second[0] if second else "0").partition(".")
        try:
            return time(int(hour), int(minute), int(whole), int(part.ljust(6, "0")))
        except ValueError:
            raise UsageError(f"--at '{text}' is not a time of day.") from None
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+) ?(s|ms|us|µs|ns|)", text.strip())
    if match is None:
        raise UsageError(f"--at '{text}' is not a time such as 12.3s, 250ms or 14:03:22.5.")
    return round(float(match[1]) * _UNITS[match[2]])


def moment_in(model: Model, at: str) -> int:
    """The moment that a user asks for, in the trace's own time.

    Raises UsageError, or NotInTraceError when the trace does not have it.
    """
    at_ns = model.start_ns + since_start(parse_time(at), model)
    if not model.start_ns <= at_ns <= model.end_ns:
        raise NotInTraceError(f"--at {at}: the trace is {_from_to(model)}.")
    return at_ns


def _from_to(model: Model) -> str:
    length = duration(model.end_ns - model.start_ns)
    of = heading(model)
    return f"{length} long, {from_to(of)}" if of.start_unix_ns else f"{length} long"


def since_start(when: int | time, model: Model) -> int:
    """The moment in ns since the trace began; a time of day is in the reader's time zone.

    Raises NotInTraceError when the trace does not know its own time of day.
    """
    if isinstance(when, int):
        return when
    begin_ns = heading(model).start_unix_ns
    if not begin_ns:
        raise NotInTraceError("--at: this trace does not say at which time of day it began.")
    today = datetime.fromtimestamp(begin_ns // 10**9, UTC).astimezone().date()
    tick = timedelta(microseconds=1)
    days = (datetime.combine(today + timedelta(days=n), when).astimezone() for n in (0, 1))
    epoch = datetime.fromtimestamp(0, UTC)
    moments = [(day - epoch) // tick * 1_000 - begin_ns for day in days]
    length = model.end_ns - model.start_ns
    return next((ns for ns in moments if 0 <= ns <= length), moments[0])
