"""Explanations as text: a paragraph, the tree of causes, the path."""

import re
from collections import defaultdict
from collections.abc import Sequence

from tracer import schema as s
from tracer.units import addends, duration, moment, plural, share
from viewer.analysis.causes.part import Cause, Kind, merged
from viewer.analysis.causes.samples import Hot
from viewer.analysis.findings.basis.facts import Finding
from viewer.analysis.why.explain import Explanation
from viewer.analysis.why.waits import What
from viewer.analysis.why.worst import Answer, Problem
from viewer.render.text.cause_words import ANYWHERE, DID, ENDED, HELD, LINKS, ON_LOOP, WHICH
from viewer.render.text.steps import NUMBERED, name_of, path
from viewer.render.text.tables import Style, wrap
from viewer.words import beside, code, place, shorten, stem

_WORTH = 20  # a part is mentioned when it is at least a twentieth of the wait
_MOST = 4  # parts mentioned, at each level
_ALL_BUT = 50  # a part that leaves less than a fiftieth is "nearly all"
_DEEPEST = 5  # levels of the tree that are shown
_SMALL = 100  # parts below a hundredth of the wait are summed up
_LONG = 48
_VOWELS = ("A", "E", "I", "O", "RLock")
_BROAD = 8  # parts shown at one level of the tree
_JOINS = ("Thread.join", "Thread.start")  # a thread is awaited there, nobody holds a lock
_UNSEEN_NS = 10_000  # nobody misses waits shorter than this

_IN_TURN = ", one after the other"
_BLAMED = (Kind.OWNER, Kind.VAIN, Kind.HOLDER)  # who did not end a wait


def render_text(answer: Answer, told: Sequence[Finding | None], style: Style) -> str:
    """Every problem: paragraph, the finding that tells of it, tree, path."""
    parts = []
    for number, (problem, finding) in enumerate(zip(answer.problems, told, strict=True), 1):
        lines = wrap(f"{number}. {paragraph(problem)}", style.width)
        if finding is not None:
            lines += ["", *_finding(finding, style)]
        lines += ["", *tree(problem.worst, style.width), "", *path(problem.worst, style.width)]
        parts.append("\n".join(line.rstrip() for line in lines))
    if answer.at_least_ns >= _UNSEEN_NS and any(
        problem.count > 1 for problem in answer.problems
    ):
        text = f"Similar waits shorter than {duration(answer.at_least_ns)} are not counted."
        parts.append("\n".join(wrap(text, style.width)))
    return "\n\n".join(parts) + "\n"


def _finding(finding: Finding, style: Style) -> list[str]:
    """As the report has it."""
    text = f"{finding.text} {finding.next_step}".rstrip()
    lines = wrap(f"Finding of `tracer report`: {text}", style.width - 2)
    return [f"  {lines[0]}", *lines[1:]]


# The paragraph ----------------------------------------------------------------------------


def paragraph(problem: Problem) -> str:
    """The wait and its causes in a few sentences, and how many similar ones there are."""
    said = sentences(problem.worst)
    others = problem.count - 1
    if others:
        verb, together = ("is", "both") if others == 1 else ("are", f"all {problem.count:,}")
        similar, total = plural(others, "similar wait"), duration(problem.total_ns)
        said += f" There {verb} {similar}, {total} summed over {together}."
    return said


def sentences(explanation: Explanation) -> str:
    """The wait and its causes."""
    is_cancelled = explanation.wait.what is What.AWAIT and not explanation.acquired
    if is_cancelled and not any(cause.kind in _BLAMED for cause in explanation.causes):
        return opening(explanation)  # it says that nobody had woken it
    return opening(explanation) + _because(explanation)


def opening(explanation: Explanation) -> str:
    wait = explanation.wait
    who = _waiter(explanation)
    at, took = moment(wait.start_ns - explanation.base_ns), duration(wait.ns)
    what = code(explanation.subject, explanation.site)
    article = "an" if explanation.subject.startswith(_VOWELS) else "a"
    if wait.what is What.READY:
        if explanation.is_over:
            return f"{who} became ready at {at} and ran {took} later."
        return (
            f"{who} became ready at {at} and had not run when the trace ended, {took} later."
        )
    if wait.what is What.PREEMPTED:
        return f"The kernel preempted {who} at {at} for {took}."
    if wait.what is What.OFF_CPU:
        return f"{_capital(who)} was off the CPU at {at} for {took}."
    if wait.what is What.AWAIT and not explanation.acquired:
        return (
            f"{who} began to await {what} at {at} and was cancelled {took} later; "
            "nobody had woken it until then."
        )
    if wait.what is What.GIL:
        where = f" (in {place(explanation.site)})" if explanation.site else ""
        text = f"{_capital(who)} waited {took} for the GIL{where}, starting at {at}"
    elif wait.what is What.SLEEP and explanation.subject == s.SLEEP:
        where = beside(explanation.site)
        text = f"{_capital(who)} slept for {took}{where}, starting at {at}"
    elif wait.what in (What.CALL, What.SLEEP):
        text = f"{_capital(who)} was in {what} for {took}, starting at {at}"
    elif wait.what is What.LOCK and explanation.subject not in _JOINS:
        text = f"{_capital(who)} waited {took} for {article} {what}, starting at {at}"
    else:
        verb = "awaited" if wait.what is What.AWAIT else "waited in"
        text = f"{_capital(who)} {verb} {what} for {took}, starting at {at}"
    if not explanation.is_over:
        return f"{text}, and was still waiting when the trace ended."
    return f"{text}{'' if explanation.acquired else ', and gave up'}."


def _waiter(explanation: Explanation) -> str:
    waiter = explanation.waiter
    if not explanation.wait.of_task:
        return f"thread {code(waiter.name)}"
    is_plain = waiter.name == waiter.coro or NUMBERED.fullmatch(waiter.name)
    of = f" in {code(waiter.of)}" if waiter.of else ""
    return name_of(waiter.name) + ("" if is_plain else f" ({code(waiter.coro)})") + of


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


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
        return ""  # the opening says that it was still waiting
    words = {What.READY: ON_LOOP, What.GIL: HELD, What.LOCK: HELD}
    phrases = ENDED | words.get(explanation.wait.what, {}) | ANYWHERE
    main, rest = _worth_saying(in_turn(worded(explanation)), whole)
    parts = [_part(cause, whole, phrases, first=n == 0) for n, cause in enumerate(main)]
    if rest:
        parts.append(f"other: {duration(rest)}")
    return " " + "; ".join(parts) + "." if parts else ""


def worded(explanation: Explanation) -> tuple[Cause, ...]:
    """The causes with the kinds that their words need: a joined thread holds nothing."""
    if explanation.subject not in _JOINS:
        return explanation.causes
    return tuple(
        cause._replace(kind=Kind.WAKER) if cause.kind is Kind.OWNER else cause
        for cause in explanation.causes
    )


def _part(cause: Cause, whole: int, phrases: dict[Kind, str], *, first: bool) -> str:
    inside = f", inside {_who(cause.parts[0])}" if cause.parts else ""
    who = _who(cause)
    said = phrases.get(cause.kind, DID[cause.kind]).format(
        who=f"{who}," if who.endswith(_IN_TURN) else who, at=beside(cause.site), inside=inside
    )
    if cause.kind is Kind.OWNER and cause.site:
        said += f" (acquired at {place(cause.site)})"
    said += _doing(cause, whole) if cause.kind is not Kind.GC else ""
    if not first:
        return f"for {duration(cause.ns)} {said}"
    if cause.ns * _ALL_BUT < whole * (_ALL_BUT - 1):
        return f"For {duration(cause.ns)} of that {said}"
    return f"For {'all of' if cause.ns == whole else 'nearly all of'} that time {said}"


def _doing(cause: Cause, whole: int) -> str:
    """`, spending 150 ms in `json.dumps` and 30 ms waiting for the GIL …`."""
    main, _ = _worth_saying(in_turn(cause.parts), max(cause.ns, whole // 2))
    if all(part.kind is Kind.UNKNOWN for part in main):
        return ""
    if len(main) == 1 and main[0].ns * _ALL_BUT >= cause.ns * (_ALL_BUT - 1):
        return f"{LINKS.get(cause.kind, ', ')}{_activity(main[0])}"
    said = [f"{duration(part.ns)} {_activity(part)}" for part in main]
    spent = ", which spent " if cause.kind in WHICH else ", spending "
    first = ", ".join(said[:-1])
    first += "," * first.endswith(_IN_TURN)
    return spent + " and ".join(filter(None, (first, said[-1])))


def _activity(cause: Cause) -> str:
    said = _did(cause)
    if cause.holds_gil and cause.kind in (Kind.IO, Kind.SLEEP, Kind.LOCK_WAIT):
        said += " while holding the GIL"
    if cause.hot and (where := sampled(cause.hot)):
        said += f" in {where}"
    holders = [
        p for p in in_turn(cause.parts) if p.kind in (Kind.THREAD, Kind.OWNER, Kind.TASK)
    ]
    is_mostly = holders and holders[0].ns * 2 >= sum(part.ns for part in cause.parts)
    if is_mostly and cause.kind in (Kind.GIL_WAIT, Kind.LOCK_WAIT):
        of = "for" if cause.who in _JOINS else "held by"
        said += f" {of} {_who(holders[0])}"
    elif holders and cause.kind is Kind.READY:
        said += f" behind {_who(holders[0])}{_mostly(holders[0])}"
    elif cause.kind in (Kind.TASK, Kind.CALLBACK):
        said += _mostly(cause)
    return said


def _did(cause: Cause) -> str:
    if cause.kind is Kind.IO and not cause.who:
        return "until something arrived from outside"
    if cause.kind is Kind.LOCK_WAIT and cause.who in _JOINS:
        return f"waiting in {_who(cause)}"
    return DID[cause.kind].format(who=_who(cause), at=beside(cause.site))


def _mostly(cause: Cause) -> str:
    """`, which was asleep (app.py:17)`: what it did for half of that time or more."""
    largest = cause.parts[0] if cause.parts else None
    if not largest or largest.kind is cause.kind or largest.ns * 2 < cause.ns:
        return ""
    return f", which was {_activity(largest)}"


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
    """Three or more who took turns at the same place count as one: 20 threads `worker-N`."""
    alike: dict[tuple[Kind, str, str, str], list[Cause]] = defaultdict(list)
    for cause in causes:
        alike[cause.kind, cause.of_task, stem(cause.who), cause.site].append(cause)
    found: list[Cause] = []
    collections = [cause for cause in causes if cause.kind is Kind.GC]
    if len(collections) > 1:
        who = " and ".join(cause.who for cause in collections[:2])
        found += merged(cause._replace(who=who) for cause in collections)
    for (kind, _, name, _), same in alike.items():
        if kind is Kind.GC and len(collections) > 1:
            continue
        if len(same) < 3 or kind not in (Kind.THREAD, Kind.OWNER):
            found += same
            continue
        who = f"{len(same)} × {name}"
        found += merged(cause._replace(who=who) for cause in same)
    return merged(found)


def _who(cause: Cause) -> str:
    if cause.kind is Kind.CHILD:
        return f"the child process {code(cause.who)}" if cause.who else "a child process"
    if cause.kind is Kind.GC:
        return cause.who
    many = re.fullmatch(r"(\d+) × (.*)", cause.who)
    if many:
        what = f"{cause.of_task or 'thread'}s"
        name = many[2].removesuffix(" #N") if cause.of_task else many[2]
        return f"{many[1]} {what} `{shorten(name, _LONG)}`{_IN_TURN}"
    if cause.kind in (Kind.TASK, Kind.OWNER) and NUMBERED.fullmatch(cause.who):
        return name_of(cause.who)
    is_place = cause.kind not in (Kind.OWNER, Kind.THREAD, Kind.SUBMITTER, Kind.WRITER)
    return ("thread " if cause.kind is Kind.THREAD else "") + code(
        cause.who, cause.site if is_place else ""
    )


def _worth_saying(causes: Sequence[Cause], whole: int) -> tuple[list[Cause], int]:
    """The parts worth a word, and how long the others are together."""
    main = [cause for cause in causes[:_MOST] if cause.ns * _WORTH >= whole]
    main = main or [*causes[:1]]
    return main, sum(cause.ns for cause in causes) - sum(cause.ns for cause in main)


def tree(explanation: Explanation, width: int) -> list[str]:
    """One line per part, so precise that they add up, but for the last digit."""
    whole = explanation.wait.ns
    parts = [(whole, 0, "in all")]

    def show(causes: Sequence[Cause], depth: int) -> None:
        shown = [cause for cause in causes[:_BROAD] if cause.ns * _SMALL >= whole]
        for cause in shown:
            parts.append((cause.ns, depth, in_tree(cause)))
            if depth < _DEEPEST:
                show(cause.parts, depth + 1)
        rest = causes[len(shown) :]
        left = sum(cause.ns for cause in rest)
        if left and (shown or depth == 1):
            text = in_tree(rest[0]) if len(rest) == 1 else f"{len(rest)} smaller parts"
            parts.append((left, depth, text))

    show(worded(explanation), 1)
    lines = []
    times = addends([ns for ns, _, _ in parts])
    for (ns, depth, text), time in zip(parts, times, strict=True):
        start = f"   {time:>12}  {share(ns, whole):>5}  {'  ' * depth}"
        lines.append(start + shorten(text, max(width - len(start), 20)))
    return lines


def in_tree(cause: Cause) -> str:
    """`held by "worker-1", acquired at app.py:12 (13×)`: a part as the tree shows it."""
    said = _did(cause)
    if cause.kind is Kind.OWNER and cause.site:
        said += f", acquired at {place(cause.site)}"
    if cause.holds_gil:
        said += ", holding the GIL"
    if cause.hot and (where := sampled(cause.hot)):
        said += f": {where}"
    return said + (f" ({cause.count:,}×)" if cause.count > 1 else "")
