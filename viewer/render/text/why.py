"""Explanations as a person would give them: a paragraph, the tree of causes, the path."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from viewer.analysis.causes.part import Cause, Kind, merged
from viewer.analysis.causes.samples import Hot
from viewer.analysis.findings.words import code, place, stem
from viewer.analysis.why.explain import Explanation, What
from viewer.analysis.why.path import Did, Step
from viewer.analysis.why.worst import Answer, Problem
from viewer.render.text.tables import Style, wrap
from viewer.render.units import duration, plural, share, shorten

_WORTH = 20  # a part of the wait is told when it is at least a twentieth of it
_MOST = 4  # parts told, at each level
_ALL_BUT = 50  # what is all of it but a fiftieth is all of it
_DEEPEST = 5  # levels of the tree that are shown
_SMALL = 100  # parts of the wait below a hundredth are summed up
_LONG = 48
_VOWELS = ("A", "E", "I", "O", "RLock")
_BROAD = 8  # parts shown beside each other
_UNSEEN_NS = 10_000  # that waits shorter than this were not looked at is no news
_NUMBERED = re.compile(r"(.*) #(\d+)")

_HOLDERS = (Kind.THREAD, Kind.OWNER, Kind.TASK)
_ON_LOOP = {
    Kind.TASK: "the loop ran {who}",
    Kind.CALLBACK: "the loop ran the callback {who}",
    Kind.SELECT: "the loop was polling (`select`)",
    Kind.LOOP: "asyncio itself was busy",
}
_HAD = {
    Kind.THREAD: "{who} had it",
    Kind.OWNER: "{who} had it",
    Kind.FREE: "nobody had it and the next had not come yet",
}
_ENDED = {
    Kind.WAKER: "it waited for {who}",
    Kind.OWNER: "{who} had it",
    Kind.FREE: "nobody had it and the next had not come yet",
    Kind.TIMER: "it waited for a timer",
    Kind.IO: "it waited for something from outside",
}
_ANYWHERE = {
    Kind.GC: "the garbage collector ran ({who}{inside})",
    Kind.PREEMPTED: "the kernel let others run",
    Kind.CYCLE: "it waited for this very wait",
    Kind.UNKNOWN: "nothing is known",
}
_DID = {
    Kind.TASK: "running {who}",
    Kind.CALLBACK: "running the callback {who}",
    Kind.SELECT: "polling (`select`)",
    Kind.LOOP: "in asyncio itself",
    Kind.GC: "collecting garbage ({who})",
    Kind.COMPUTING: "computing",
    Kind.NATIVE: "computing without the GIL",
    Kind.PREEMPTED: "preempted by the kernel",
    Kind.OFF_CPU: "off the CPU",
    Kind.GIL_WAIT: "waiting for the GIL",
    Kind.LOCK_WAIT: "waiting for a {who}",
    Kind.IDLE_WAIT: "waiting in {who}",
    Kind.IO: "in {who}",
    Kind.SLEEP: "asleep{at}",
    Kind.READY: "ready but not running",
    Kind.AWAIT: "awaiting {who}",
    Kind.THREAD: "held by {who}",
    Kind.OWNER: "held by {who}",
    Kind.WAKER: "until {who} ended it",
    Kind.FREE: "given back, not yet taken",
    Kind.TIMER: "until a timer was due",
    Kind.CYCLE: "waiting for this very wait",
    Kind.UNKNOWN: "unknown",
}


def render_text(answer: Answer, style: Style) -> str:
    """Every problem: paragraph, tree, path."""
    parts = []
    for number, problem in enumerate(answer.problems, 1):
        lines = wrap(f"{number}. {paragraph(problem)}", style.width)
        lines += ["", *tree(problem.worst, style.width), "", *path(problem.worst, style.width)]
        parts.append("\n".join(line.rstrip() for line in lines))
    if answer.at_least_ns >= _UNSEEN_NS and any(
        problem.count > 1 for problem in answer.problems
    ):
        least = duration(answer.at_least_ns)
        parts.append(
            "\n".join(wrap(f"Waits shorter than {least} are not counted.", style.width))
        )
    return "\n\n".join(parts) + "\n"


# The paragraph ----------------------------------------------------------------------------


def paragraph(problem: Problem) -> str:
    """What a person would say of it."""
    explanation = problem.worst
    said = opening(explanation)
    if not (explanation.wait.what is What.AWAIT and not explanation.acquired):
        said += _because(explanation)
    others = problem.count - 1
    if others:
        like = "1 other wait" if others == 1 else f"{others:,} others"
        said += f" {like} like it, {duration(problem.total_ns)} in total."
    return said


def opening(explanation: Explanation) -> str:
    wait = explanation.wait
    who = _waiter(explanation)
    at, took = _seconds(wait.start_ns - explanation.base_ns), duration(wait.ns)
    what = code(explanation.subject, explanation.site)
    article = "an" if explanation.subject.startswith(_VOWELS) else "a"
    if wait.what is What.READY:
        if explanation.is_over:
            return f"{who} was ready at {at} and ran {took} later."
        return f"{who} was ready at {at} and had not run when the trace ended, {took} later."
    if wait.what is What.PREEMPTED:
        return f"The kernel took the CPU from {who} at {at} for {took}."
    if wait.what is What.OFF_CPU:
        return f"{_capital(who)} was off the CPU at {at} for {took}."
    if wait.what is What.AWAIT and not explanation.acquired:
        return (
            f"{who} awaited {what} from {at} on and was cancelled {took} later: "
            "until then nobody had ended the wait."
        )
    if wait.what is What.GIL:
        where = f" (in {place(explanation.site)})" if explanation.site else ""
        text = f"{_capital(who)} waited {took} for the GIL{where}, from {at} on"
    elif wait.what is What.LOCK and explanation.subject not in ("Thread.join", "Thread.start"):
        text = f"{_capital(who)} waited {took} for {article} {what}, from {at} on"
    else:
        verb = "awaited" if wait.what is What.AWAIT else "waited in"
        text = f"{_capital(who)} {verb} {what} for {took}, from {at} on"
    if not explanation.is_over:
        return f"{text}, and still did when the trace ended."
    return f"{text}{'' if explanation.acquired else ', and gave up'}."


def _waiter(explanation: Explanation) -> str:
    waiter = explanation.waiter
    if not explanation.wait.of_task:
        return f"thread {code(waiter.name)}"
    is_plain = waiter.name == waiter.coro or _NUMBERED.fullmatch(waiter.name)
    return _name(waiter.name) + ("" if is_plain else f" ({code(waiter.coro)})")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _name(name: str) -> str:
    """In quotes, a number outside of them."""
    numbered = _NUMBERED.fullmatch(name)
    return f"`{shorten(numbered[1], _LONG)}` #{numbered[2]}" if numbered else code(name)


def _because(explanation: Explanation) -> str:
    whole = explanation.wait.ns
    if explanation.wait.what is What.PREEMPTED or not explanation.causes:
        return ""
    is_blank = all(cause.kind is Kind.UNKNOWN for cause in explanation.causes)
    if (
        is_blank
        and not explanation.is_over
        and explanation.wait.what in (What.AWAIT, What.IDLE)
    ):
        return ""  # that nobody had ended it yet is said
    words = {What.READY: _ON_LOOP, What.GIL: _HAD, What.LOCK: _HAD}
    phrases = words.get(explanation.wait.what, _ENDED) | _ANYWHERE
    told, rest = _worth_telling(in_turn(explanation.causes), whole)
    parts = [_part(cause, whole, phrases, first=n == 0) for n, cause in enumerate(told)]
    if rest:
        parts.append(f"{duration(rest)} the rest")
    return " " + "; ".join(parts) + "." if parts else ""


def _part(cause: Cause, whole: int, phrases: dict[Kind, str], *, first: bool) -> str:
    inside = f", inside {_who(cause.parts[0])}" if cause.parts else ""
    said = phrases.get(cause.kind, _DID[cause.kind]).format(
        who=_who(cause), at=_at(cause), inside=inside
    )
    if cause.kind is Kind.OWNER and cause.site:
        said += f" (taken at {place(cause.site)})"
    said += _doing(cause, whole) if cause.kind is not Kind.GC else ""
    if first and cause.ns * _ALL_BUT >= whole * (_ALL_BUT - 1):
        return f"{'All of' if cause.ns == whole else 'Nearly all of'} that time {said}"
    return f"{duration(cause.ns)} of that {said}" if first else f"{duration(cause.ns)} {said}"


def _doing(cause: Cause, whole: int) -> str:
    """`, which was 150 ms in `json.dumps` and 30 ms waiting for the GIL …`."""
    told, _ = _worth_telling(in_turn(cause.parts), max(cause.ns, whole // 2))
    if not told:
        return ""
    if len(told) == 1 and told[0].ns * _ALL_BUT >= cause.ns * (_ALL_BUT - 1):
        return f", {_activity(told[0])}"
    said = [f"{duration(part.ns)} {_activity(part)}" for part in told]
    return ", which was " + " and ".join(filter(None, (", ".join(said[:-1]), said[-1])))


def _activity(cause: Cause) -> str:
    said = _DID[cause.kind].format(who=_who(cause), at=_at(cause))
    if cause.holds_gil and cause.kind in (Kind.IO, Kind.SLEEP, Kind.LOCK_WAIT):
        said += " with the GIL"
    if cause.hot and (where := sampled(cause.hot)):
        said += f" in {where}"
    holders = [
        p for p in in_turn(cause.parts) if p.kind in (Kind.THREAD, Kind.OWNER, Kind.TASK)
    ]
    if holders and cause.kind in (Kind.GIL_WAIT, Kind.LOCK_WAIT):
        said += f" held by {_who(holders[0])}"
    elif holders and cause.kind is Kind.READY:
        said += f" behind {_who(holders[0])}{_mostly(holders[0])}"
    elif cause.kind in (Kind.TASK, Kind.CALLBACK):
        said += _mostly(cause)
    return said


def _mostly(cause: Cause) -> str:
    """`, asleep (app.py:17)`: what half of it and more was spent with."""
    largest = cause.parts[0] if cause.parts else None
    if not largest or largest.kind is cause.kind or largest.ns * 2 < cause.ns:
        return ""
    return f", {_activity(largest)}"


def sampled(hot: Sequence[Hot]) -> str:
    """`rank` (data.py:32, 3 of 4 CPU samples) and `make_key` (data.py:26, 1)."""
    known = [row for row in hot if not row.function.startswith("[")]
    said = []
    for n, row in enumerate(known):
        of = "" if n else f" of {plural(row.of, 'CPU sample')}"
        where = place(f"{row.file}:{row.line} f") + ", " if row.file else ""
        module = row.file.rpartition("/")[2].removesuffix(".py") + "."
        is_own = "/lib/python3." not in row.file and "-packages/" not in row.file
        name = row.function.removeprefix(module) if is_own else row.function
        said.append(f"`{shorten(name, _LONG)}` ({where}{row.samples:,}{of})")
    return " and ".join(said)


def in_turn(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Three and more who took turns at the same place are one: 20 threads `worker-N`."""
    alike: dict[tuple[Kind, bool, str, str], list[Cause]] = defaultdict(list)
    for cause in causes:
        alike[cause.kind, cause.of_task, stem(cause.who), cause.site].append(cause)
    found: list[Cause] = []
    collections = [cause for cause in causes if cause.kind is Kind.GC]
    if len(collections) > 1:
        who = " and ".join(cause.who for cause in collections[:2])
        found += merged(replace(cause, who=who) for cause in collections)
    for (kind, _, name, _), same in alike.items():
        if kind is Kind.GC and len(collections) > 1:
            continue
        if len(same) < 3 or kind not in (Kind.THREAD, Kind.OWNER):
            found += same
            continue
        who = f"{len(same)} × {name}"
        found += merged(replace(cause, who=who) for cause in same)
    return merged(found)


def _who(cause: Cause) -> str:
    if cause.kind is Kind.GC:
        return cause.who
    many = re.fullmatch(r"(\d+) × (.*)", cause.who)
    if many:
        what = "tasks" if cause.of_task else "threads"
        name = many[2].removesuffix(" #N") if cause.of_task else many[2]
        return f"{many[1]} {what} `{shorten(name, _LONG)}`, one after the other,"
    if cause.kind in (Kind.TASK, Kind.OWNER) and _NUMBERED.fullmatch(cause.who):
        return _name(cause.who)
    is_place = cause.kind not in (Kind.OWNER, Kind.THREAD)
    return ("thread " if cause.kind is Kind.THREAD else "") + code(
        cause.who, cause.site if is_place else ""
    )


def _at(cause: Cause) -> str:
    return f" ({place(cause.site)})" if cause.site else ""


def _worth_telling(causes: Sequence[Cause], whole: int) -> tuple[list[Cause], int]:
    """The parts worth a word, and how long the others are together."""
    told = [cause for cause in causes[:_MOST] if cause.ns * _WORTH >= whole] or list(
        causes[:1]
    )
    return told, sum(cause.ns for cause in causes) - sum(cause.ns for cause in told)


def _seconds(ns: int) -> str:
    return f"{ns / 1e9:,.3f} s"


# The tree and the path --------------------------------------------------------------------


def tree(explanation: Explanation, width: int) -> list[str]:
    """One line per part, in ms with three decimals: they add up, to the last but rounding."""
    whole = explanation.wait.ns
    lines = [f"   {_ms(whole)}  ms in all"]

    def show(causes: Sequence[Cause], depth: int) -> None:
        shown = [cause for cause in causes[:_BROAD] if cause.ns * _SMALL >= whole]
        for cause in shown:
            lines.append(_line(cause.ns, whole, depth, _in_tree(cause), width))
            if depth < _DEEPEST:
                show(cause.parts, depth + 1)
        rest = causes[len(shown) :]
        left = sum(cause.ns for cause in rest)
        if left and (shown or depth == 1):
            text = _in_tree(rest[0]) if len(rest) == 1 else f"{len(rest)} smaller parts"
            lines.append(_line(left, whole, depth, text, width))

    show(explanation.causes, 1)
    return lines


def _in_tree(cause: Cause) -> str:
    said = _DID[cause.kind].format(who=_who(cause), at=_at(cause))
    if cause.kind is Kind.OWNER and cause.site:
        said += f", taken at {place(cause.site)}"
    if cause.holds_gil:
        said += ", with the GIL"
    if cause.hot and (where := sampled(cause.hot)):
        said += f": {where}"
    return said + (f" ({cause.count:,} ×)" if cause.count > 1 else "")


def _line(ns: int, whole: int, depth: int, text: str, width: int) -> str:
    start = f"   {_ms(ns)}  {share(ns, whole):>5}  {'  ' * depth}"
    return start + shorten(text, max(width - len(start), 20))


def _ms(ns: int) -> str:
    return f"{ns / 1e6:>12,.3f}"


_STEPS: dict[Did, Callable[[Step], str]] = {
    Did.WAITED: lambda step: f"{_name(step.who)} waited: {code(step.what, step.site)}",
    Did.RAN: lambda step: f"{_name(step.who)} ran",
    Did.CALLED: lambda step: f"{_name(step.who)} was in {code(step.what, step.site)}",
    Did.CREATED: lambda step: f"{_name(step.who)} created {_name(step.what)}",
    Did.TIMER: lambda _: "a timer was due",
    Did.IO: lambda _: "something arrived from outside",
    Did.UNKNOWN: lambda _: "who caused this is not known",
    Did.MORE: lambda _: "… and so on",
}


def path(explanation: Explanation, width: int) -> list[str]:
    lines = ["   What had to happen first, the latest at the top:"]
    for step in explanation.path:
        at = _seconds(step.start_ns - explanation.base_ns)
        took = duration(step.end_ns - step.start_ns) if step.end_ns > step.start_ns else ""
        start = f"   {at:>12}  {took:>9}  "
        lines.append(start + shorten(_STEPS[step.did](step), max(width - len(start), 20)))
    return lines
