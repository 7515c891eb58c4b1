"""Both ends of a connection that wait for each other for as long as the kernel delays an
acknowledgement: the second of two small messages is held back that long."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import permutations

from tracer.units import MS, duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.trace.columns import IDLE_WAIT, IO, LOCK_WAIT, SLEEP, STATE_MASK

# Linux delays an acknowledgement for 40 ms, a busy machine for longer. Ten such waits, 0.4 s
# in all, four fifths of all that are longer than half of it; each of them is one of a
# thread at another line, too, and both end within 2 ms. Whoever sends to one of them so often
# looks the same: so all other threads must stand in one wait for the last 10 ms before that.
_LEAST_NS, _MOST_NS, _HALF_NS = 39 * MS, 75 * MS, 20 * MS
_USUAL_NS = 48 * MS  # a quarter of them take no longer: 50 ms is a pace
_TIMES, _MOSTLY = 10, (8, 10)
_TOGETHER_NS = 2 * MS
_STILL_NS = 10 * MS
_MOST_PLACES, _LOOKS = 16, 200  # threads at a line that are compared, and waits of each
_MOST_OTHERS = 100  # threads
_RECEIVES = ("socket.recv", "socket.recv_into")

type _Row = tuple[int, int]  # its end, its row
type _Place = tuple[int, str]  # a thread and its line
type _Pair = tuple[_Place, _Place, list[int]]


def held_back(facts: Facts) -> Iterator[Finding]:
    """Requests in two small pieces, each of which waits for an acknowledgement."""
    table = facts.model.states
    of, others = defaultdict[tuple[int, int], list[_Row]](list), Counter[tuple[int, int]]()
    for row in facts.in_order(facts.calls_named(_RECEIVES, _HALF_NS)):
        place = table.who[row], table.row[row]
        others[place] += 1
        if _LEAST_NS <= facts.row_ns(row) <= _MOST_NS:
            of[place].append((table.end_ns[row], row))
    alike = {
        (thread, facts.call(call)[1]): sorted(rows)
        for (thread, call), rows in of.items()
        if len(rows) >= _TIMES
        and len(rows) * _MOSTLY[1] >= others[thread, call] * _MOSTLY[0]
        and sorted(facts.row_ns(row) for _, row in rows)[len(rows) // 4] <= _USUAL_NS
    }
    most = sorted(alike, key=lambda place: -len(alike[place]))[:_MOST_PLACES]
    told, pairs = set[_Place](), defaultdict[tuple[int, str, str], list[_Pair]](list)
    for one, two in permutations(most, 2):
        rows = alike[one]
        is_other = one[0] != two[0] and one[1] != two[1] and not {one, two} & told
        is_pair = is_other and _is_together(rows[:_LOOKS], alike[two])
        if is_pair and _are_alone(facts, one, two, rows[:_LOOKS], alike):
            told |= {one, two}
            process = facts.model.thread_process[one[0]]
            pairs[process, one[1], two[1]].append((one, two, [row for _, row in rows]))
    for alike_pairs in pairs.values():
        yield _finding(facts, alike_pairs)


def _is_together(rows: list[_Row], theirs: list[_Row]) -> bool:
    """Whether four fifths of these end together with one of theirs."""
    found = 0
    for end, _ in rows:
        n = bisect_left(theirs, (end - _TOGETHER_NS, -1))
        found += n < len(theirs) and theirs[n][0] <= end + _TOGETHER_NS
    return found * _MOSTLY[1] >= len(rows) * _MOSTLY[0]


def _are_alone(
    facts: Facts, one: _Place, two: _Place, rows: list[_Row], alike: dict[_Place, list[_Row]]
) -> bool:
    """Whether nobody else in the process did anything before they went on, mostly."""
    model = facts.model
    process = model.thread_process[one[0]]
    at_it = {thread for thread, site in alike if site in (one[1], two[1])}
    others = [
        n for n, of in enumerate(model.thread_process) if of == process and n not in at_it
    ]
    if len(others) > _MOST_OTHERS:
        return False
    alone = sum(all(_stands(facts, thread, end) for thread in others) for end, _ in rows)
    return alone * _MOSTLY[1] >= len(rows) * _MOSTLY[0]


def _stands(facts: Facts, thread: int, end: int) -> bool:
    """Whether a thread is in one wait just before a moment, or does not live then."""
    rows, states = facts.ledger.rows_of_threads, facts.model.states.state
    since, low, high = end - _STILL_NS, rows.offset[thread], rows.offset[thread + 1]
    place = bisect_right(rows.start_ns, since, low, high) - 1
    if place < low or rows.end_ns[place] <= since:
        return place + 1 >= high or rows.start_ns[place + 1] > end
    is_wait = states[rows.row[place]] & STATE_MASK in (IO, SLEEP, LOCK_WAIT, IDLE_WAIT)
    return is_wait and rows.end_ns[place] >= end


def _finding(facts: Facts, pairs: list[_Pair]) -> Finding:
    table, (one, two, _) = facts.model.states, pairs[0]
    rows = sorted(row for _, _, found in pairs for row in found)
    lost = facts.total_ns(rows)
    who, other = (
        users(facts.model, (("thread", pair[n][0]) for pair in pairs)) for n in (0, 1)
    )
    text = (
        f"Slow answer: {who}{place_in(one[1])} and {other}{place_in(two[1])} both wait in "
        f"`recv` for {duration(lost // len(rows))} and then go on together, {len(rows)} "
        f"times, {duration(lost)} in total ({at(facts, table.start_ns[rows[0]])}), while "
        f"nobody else here did anything. The kernel may delay an acknowledgement that long, "
        f"and until then it holds back the second of two small messages. Send both in one "
        f"piece, or set `TCP_NODELAY`."
    )
    evidence = facts.evidence(
        ("thread", one[0]), table.start_ns[rows[0]], lost // len(rows), one[1]
    )
    return Finding("slow answer", lost, text, evidence)
