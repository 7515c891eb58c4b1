"""What changed from one trace to another, as text and as JSON."""

import json

from tracer.units import duration, plural, share, size
from viewer.analysis import significance as test
from viewer.analysis.diff import Diff, Programs, Row
from viewer.analysis.report import Heading
from viewer.render.json.values import Json
from viewer.render.text.tables import Cell, Change, Style, Time, spare, table, wrap
from viewer.trace.sites import via
from viewer.words import code, place, shorten, tail

_SCHEMA = 1
_LONG = 48
_BUSIER, _MUCH = 1.5, 0.1  # how much more preemption makes a comparison doubtful
_TITLES = {
    "slower": "Slower in B",
    "faster": "Faster in B",
    "new": "Only in B",
    "gone": "Only in A",
}
_WHAT = {
    "ready": "{} ready",
    "running": "{} step",
    "await": "{} await",
    "GIL wait": "{} GIL wait",
    "lock wait": "wait for {}",
    "call": "{}",
    "cpu": "{} CPU (sampled)",
}
_TO_SPARE = ("events", "p99 A", "p99 B")
_AT_LAST = ("mean A", "total")
_SHORT = 26  # of a place


def render_text(diff: Diff, top: int, style: Style) -> str:
    parts = [_headings(diff, style)]
    for verdict, title in _TITLES.items():
        rows = [row for row in diff.rows if row.verdict == verdict]
        if rows:
            parts.append(_table(title, rows, top, style))
    if diff.growth:
        parts.append(_growth(diff, top, style))
    if len(parts) == 1:
        parts.append("No difference beyond noise.")
    parts.append(_how(diff, style))
    return "\n\n".join(parts) + "\n"


def _growth(diff: Diff, top: int, style: Style) -> str:
    """Tasks that pile up in B."""
    lines = [style.title("More tasks at once in B")]
    for row in diff.growth[:top]:
        made = row.after.created
        by = f", created at {place(made)}" if made else ""
        a, b = row.before.count, row.after.count
        text = f"{code(row.name, row.after.site)}: {a:,} → {b:,}{by}; "
        text += f"the oldest had lived for {duration(row.after.oldest_ns)}"
        lines += wrap(text, style.width)
    if len(diff.growth) > top:
        lines.append(f"  … and {plural(len(diff.growth) - top, 'row')} more (--top)")
    return "\n".join(lines)


def _headings(diff: Diff, style: Style) -> str:
    lines = []
    for name, of in (("A", diff.a), ("B", diff.b)):
        facts = f"{duration(of.duration_ns)}, {of.events:,} events, {size(of.size_bytes)}"
        room = style.width - len(facts) - 6
        lines.append(f"{name}  {shorten(place(of.file, style.base), room)}  {facts}")
    if diff.programs is not Programs.SAME:
        lines += wrap(_other_program(diff), style.width)
    a, b = diff.away
    for name, mine, other in (("A", a, b), ("B", b, a)):
        if mine.share >= max(other.share * _BUSIER, other.share + _MUCH):
            text = (
                f"{name} ran on a busier machine: it was preempted for "
                f"{share(mine.away_ns, mine.wanted_ns)} of the time it wanted a CPU (the "
                f"other: {share(other.away_ns, other.wanted_ns)}). Differences may come from "
                f"that."
            )
            lines += wrap(text, style.width)
    return "\n".join(lines)


def _other_program(diff: Diff) -> str:
    a, b = (shorten(" ".join(of.argv), _LONG) for of in (diff.a, diff.b))
    if diff.programs is Programs.DIFFERENT:
        return f"A and B are different programs (`{a}`, `{b}`): rows of only one mean nothing."
    return f"A and B were started with different arguments: `{a}`, `{b}`."


def _table(title: str, rows: list[Row], top: int, style: Style) -> str:
    columns = [
        "what", "events", "p99 A", "p99 B", "mean A", "mean B", "change", "total", "where",
    ]  # fmt: skip
    cells = [_cells(row, style) for row in rows[:top]]
    names = [str(row[0]) for row in cells]
    columns, cells = spare(columns, cells, names, style.width, _TO_SPARE, _AT_LAST)
    gone = "p99 B" if "p99 A" not in columns else ""  # both or none
    keep = [
        i
        for i, column in enumerate(columns)
        if i == 0 or (column != gone and any(row[i] != "" for row in cells))
    ]
    lines = table([columns[i] for i in keep], [[row[i] for i in keep] for row in cells], style)
    lines.insert(0, style.title(title))
    if len(rows) > top:
        lines.append(f"  … and {plural(len(rows) - top, 'row')} more (--top)")
    return "\n".join(lines)


def _cells(row: Row, style: Style) -> list[Cell]:
    name = _WHAT[row.key.what].format(shorten(row.key.name, _LONG))
    at = tail(place(row.site, style.base), _SHORT)
    a_count, b_count = (f"{count:,}" for count in row.events)
    counts = a_count if a_count == b_count else f"{a_count} → {b_count}"
    times: list[Cell] = [""] * 2
    if row.spreads is not None:
        a, b = row.spreads
        times = [Time(of.p99_ns) if of.count else "" for of in (a, b)]
    means = [
        Time(ns) if count else "" for ns, count in zip(_amounts(row), row.events, strict=True)
    ]
    return [name, counts, *times, *means, _change(row), Change(row.impact_ns), at]


def _amounts(row: Row) -> tuple[int, int]:
    """The mean of an event; for a function's samples, which are no events, the sum."""
    return row.total_ns if row.key.what == "cpu" else row.mean_ns


def _change(row: Row) -> str:
    """`×1.8`: of the means, or of the CPU time."""
    a, b = _amounts(row)
    return f"×{b / a:.2f}" if a and b else ""


def _how(diff: Diff, style: Style) -> str:
    counts = diff.counts()
    tail, pairs = f"{test.TAIL * 100:.0f} %", f"{50 + test.EFFECT * 100:.0f} %"
    more, more_cpu = (f"{ratio * 100 - 100:.0f} %" for ratio in (test.RATIO, test.CPU_RATIO))
    text = (
        f"{plural(len(diff.rows), 'row')}: {counts['slower']:,} slower, {counts['faster']:,} "
        f"faster, {counts['new']:,} only in B, {counts['gone']:,} only in A, "
        f"{counts['same']:,} the same within noise, {counts['few']:,} with too few events "
        f"(fewer than {test.FEWEST}) to compare. Durations are "
        f"tested by Mann-Whitney U and by the share beyond A's longest {tail}, CPU samples as "
        f"Poisson counts; p < {test.P_LIMIT} over all "
        f"{plural(diff.comparisons, 'comparison')} (Bonferroni). A difference "
        f"is reported when an event of B is longer than one of A in {pairs} of pairs, or the "
        f"tail is twice as heavy, and the mean is {more} longer (CPU: {more_cpu}). "
        f"The numbers include the effects of whatever else the machine did during a run."
    )
    return "\n".join(wrap(text, style.width))


def render_json(diff: Diff) -> str:
    """One object; pairs are [A, B], times in ns."""
    body: dict[str, Json] = {
        "schema": _SCHEMA,
        "a": _heading(diff.a),
        "b": _heading(diff.b),
        "programs": diff.programs,
        "comparisons": diff.comparisons,
        "verdicts": {verdict: count for verdict, count in diff.counts().items()},
        "preempted_ns": [away.away_ns for away in diff.away],
        "wanted_cpu_ns": [away.wanted_ns for away in diff.away],
        "rows": [_row(row) for row in diff.rows],
        "growth": [
            {
                "coro": row.name,
                "tasks": [row.before.count, row.after.count],
                "oldest_ns": [row.before.oldest_ns, row.after.oldest_ns],
                "site": row.after.site,
                "created": row.after.created,
            }
            for row in diff.growth
        ],
    }
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def _heading(of: Heading) -> Json:
    return {
        "file": of.file,
        "duration_ns": of.duration_ns,
        "start_unix_ns": of.start_unix_ns,
        "python": of.python,
        "argv": list(of.argv),
        "events": of.events,
    }


def _row(row: Row) -> Json:
    pairs: dict[str, tuple[int, int]] = {"events": row.events, "total_ns": row.total_ns}
    if row.spreads is not None:
        a, b = row.spreads
        pairs |= {"mean_ns": row.mean_ns, "p50_ns": (a.p50_ns, b.p50_ns)}
        pairs |= {"p99_ns": (a.p99_ns, b.p99_ns), "max_ns": (a.max_ns, b.max_ns)}
    return {
        "what": row.key.what,
        "name": row.key.name,
        "place": row.key.place,
        "site": row.site,
        "via": via(row.site),
        "verdict": row.verdict,
        **{name: [*pair] for name, pair in pairs.items()},
        "impact_ns": row.impact_ns,
        "effect": row.effect,
        "p": row.p,
    }
