"""What triggers find in records made by hand."""

from tests.support.records import LINE, SLEEP, Script
from tracer import _core
from tracer.flight_recorder.triggers import parse

MS = 1_000_000
S = 1_000 * MS
LIBRARY = "/lib/python3/"
type Frame = tuple[str, int, str]  # path, line, function
AT, AWAITS = "app.py:3 handler", "app.py:5 handler"  # of the task, of its await


def look(
    script: Script,
    *conditions: str,
    at_ms: tuple[int, ...],
    rss_bytes: int = 0,
    cooldown_s: int = 10,
    answer: tuple[int, str] | None = None,
    samples: list[tuple[int, int, list[Frame]]] | None = None,
) -> list[tuple[int, str, int, int, int]]:
    """(look in ms, what is said, since in ms, until in ms, suppressed) of what was told."""
    _core.set_triggers(parse(conditions), 20, cooldown_s * S, LIBRARY)
    found = _core.look(
        script.records, [ms * MS for ms in at_ms], rss_bytes, answer, samples or []
    )
    return [
        (ns // MS, reason, since // MS, until // MS, suppressed)
        for ns, reason, since, until, suppressed in found
    ]


def a_step(script: Script, begin_ms: int, end_ms: int) -> None:
    script.add(begin_ms * MS, "STEP_BEGIN", 1)
    script.add(end_ms * MS, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
