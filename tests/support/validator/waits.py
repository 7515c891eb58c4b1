"""What a lock wait leaves open: refused where the trace knows it, else counted."""

from collections import Counter, defaultdict
from itertools import chain

from tests.support.validator.lanes import Rules, lanes_of, rules_of
from tests.support.validator.slices import Slice
from tests.support.validator.strict import Event, Strict
from tracer import schema as s

HELD = ("Lock", "RLock")  # whoever waits for one of these waits for somebody,
ENDS = ("Thread.join", "executor shutdown")  # and here for a thread that is to end
NO_LOCK = "no lock is known"
NO_OWNER = "nobody is known to have had it"
NO_WAKER = "nobody is known to have ended it"


def check_waits(trace: Strict, slices: list[Slice]) -> Counter[str]:
    """Reasons, each with the wait's name: "nobody is known to have had it: Lock"."""
    rules = rules_of(trace)
    holds: dict[tuple[int, object], list[Slice]] = defaultdict(list)
    releases: dict[tuple[int, object], list[Event]] = defaultdict(list)
    for each in slices:
        if each.category == s.CAT_HOLD:
            holds[each.begin.process.pid, each.args.get(s.ARG_LOCK)].append(each)
    for event in trace.events:
        if event.name == s.RELEASE and event.category == s.CAT_LOCK and not event.flows:
            releases[event.process.pid, event.args.get(s.ARG_LOCK)].append(event)
    unknown: Counter[str] = Counter()
    for lane in lanes_of(slices).values():
        said = rules[id(lane[0].begin.process)]
        for at, each in enumerate(lane):
            if each.category != s.CAT_LOCK or not _is_told(each, said):
                continue
            name = each.name.removeprefix(s.LOCK_WAIT_PREFIX)
            key = each.begin.process.pid, each.args.get(s.ARG_LOCK)
            if key[1] is None:
                unknown[f"{NO_LOCK}: {name}"] += 1
                continue
            if name in HELD and not {s.ARG_OWNER, s.ARG_OWNER_TASK} & set(each.args):
                _check_free(each, holds[key], said)
                unknown[f"{NO_OWNER}: {name}"] += 1
            if name in ENDS and s.ARG_OWNER not in each.args and not _is_for_any(each):
                unknown[f"{NO_OWNER}: {name}"] += 1
            if each.args.get(s.ARG_ACQUIRED) and not _has_arrow(lane, at):
                _check_unused(each, releases[key], said)
                unknown[f"{NO_WAKER}: {name}"] += 1
    return unknown


def _is_for_any(each: Slice) -> bool:
    """As the interpreter ends, one call waits for all threads: for one after the other, and
    until each is gone. A piece that no thread ended may have been for any of them."""
    at_exit = str(each.args.get(s.ARG_SITE)).endswith(" _shutdown")
    return at_exit and not each.args.get(s.ARG_ACQUIRED)


def _is_told(each: Slice, said: Rules) -> bool:
    """It is over, and what the recording must know of it is not lost."""
    end_ns = each.end_ns
    return said.locks and end_ns is not None and not said.excuses(end_ns, end_ns + 1)


def _check_free(wait: Slice, holds: list[Slice], said: Rules) -> None:
    """Nobody had the lock as the wait began. (Its later pieces say the same.)"""
    if s.ARG_CONTINUES in wait.begin.args or said.attached:
        return
    for hold in holds:
        is_open = hold.end_ns is None or wait.start_ns < hold.end_ns
        assert not (hold.start_ns <= wait.start_ns and is_open), (
            f"a lock wait without owner while {hold.name!r} has it: {wait.begin}"
        )


def _check_unused(wait: Slice, releases: list[Event], said: Rules) -> None:
    """No other thread's release while it lasted is without an arrow."""
    for event in releases if said.gil and not said.attached else ():
        is_within = wait.start_ns <= event.time_ns <= (wait.end_ns or 0)
        assert not is_within or event.track == wait.begin.track, (
            f"a wait that was ended, and a release without an arrow: {wait.begin} and {event}"
        )


def _has_arrow(lane: list[Slice], at: int) -> bool:
    """Into what the thread does next; if it was woken in a `GIL wait`, next but one."""
    after = lane[at + 1 : at + 3]
    if after and after[0].category != s.CAT_GIL:
        after = after[:1]
    return any(chain.from_iterable(each.begin.ends_flows for each in after))
