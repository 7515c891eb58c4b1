"""From event columns to slices, and sums over slices: Python twins of native/slices.c."""

from array import array

from tracer import schema
from viewer.trace.columns import LARGEST, Column, Pairs, Slices, Stats, Sums, Tally, views

_PERCENTS = (50, 90, 99)


def pair(
    time: Column, type_: Column, track: Column, track_process: Column, processes: int
) -> Slices:
    """Begins and ends paired per track, in order of time and, at equal times, of the file.

    A slice that is still open ends with the last event of its process and is `unfinished`. An
    end without a begin is counted and ignored.
    """
    event, end_event, parent = array("i"), array("i"), array("i")
    unfinished = array("B")
    start, end, instants = array("q"), array("q"), array("i")
    ends = array("q", bytes(8 * (processes + 1)))
    open_ = [-1] * len(track_process)
    unmatched = 0
    times = time.tolist()
    for i in sorted(range(len(times)), key=times.__getitem__):
        at = track[i]
        ends[track_process[at] + 1] = times[i]
        kind = type_[i]
        if kind == schema.TYPE_SLICE_BEGIN:
            event.append(i)
            end_event.append(-1)
            start.append(times[i])
            end.append(0)
            parent.append(open_[at])
            unfinished.append(1)
            open_[at] = len(event) - 1
        elif kind == schema.TYPE_SLICE_END:
            last = open_[at]
            if last < 0:
                unmatched += 1
                continue
            end[last] = times[i]
            end_event[last] = i
            unfinished[last] = 0
            open_[at] = parent[last]
        elif kind == schema.TYPE_INSTANT:
            instants.append(i)
    for i, is_open in enumerate(unfinished):
        if is_open:
            end[i] = ends[track_process[track[event[i]]] + 1]
    columns = (event, end_event, start, end, parent, unfinished, instants, ends)
    return Slices(*[*views(columns), unmatched])


def grouped_stats(start: Column, end: Column, key: Column, keys: int) -> Stats:
    """Statistics of the durations of each key; slices with key -1 do not count."""
    values: list[list[int]] = [[] for _ in range(keys)]
    longest, most = array("q", [-1]) * keys, array("q", [0]) * keys
    for i, k in enumerate(key):
        if k < 0:
            continue
        value = end[i] - start[i]
        values[k].append(value)
        if longest[k] < 0 or value > most[k]:
            longest[k], most[k] = i, value
    for bucket in values:
        bucket.sort()
    p50, p90, p99 = (
        array("q", [percentile(bucket, p) for bucket in values]) for p in _PERCENTS
    )
    count = array("q", map(len, values))
    total = array("q", [min(sum(bucket), LARGEST) for bucket in values])
    return Stats(*views((count, total, p50, p90, p99, most, longest)))


def percentile(ordered: list[int], percent: int) -> int:
    """Linear interpolation between closest ranks, rounded half up; 0 without durations."""
    if not ordered:
        return 0
    rank, part = divmod(percent * (len(ordered) - 1), 100)
    value = ordered[rank]
    if part:
        value += ((ordered[rank + 1] - value) * part + 50) // 100
    return value


def keyed_sums(start: Column, end: Column, key: Column, code: Column) -> Sums:
    """Count, total and longest duration by (key, code); slices with key -1 do not count."""
    rows: dict[tuple[int, int], tuple[int, int, int]] = {}
    for i, k in enumerate(key):
        if k >= 0:
            value = end[i] - start[i]
            count, total, most = rows.get((k, code[i]), (0, 0, 0))
            rows[k, code[i]] = (count + 1, min(total + value, LARGEST), max(most, value))
    columns = (
        array("i", (k for k, _ in rows)),
        array("q", (c for _, c in rows)),
        *(array("q", (row[i] for row in rows.values())) for i in range(3)),
    )
    return Sums(*views(columns))


def group_keys(kind: Column, owner: Column, group: Column, wanted: int) -> Column:
    """By slice the group of its owner, if it is of the wanted kind, else -1."""
    return memoryview(
        array(
            "i",
            (
                group[o] if k == wanted and o >= 0 else -1
                for k, o in zip(kind, owner, strict=True)
            ),
        )
    )


def either(a: Column, b: Column, otherwise: int) -> Column:
    """By row the first of the two values that is not negative."""
    return memoryview(
        array(
            "i",
            (x if x >= 0 else y if y >= 0 else otherwise for x, y in zip(a, b, strict=True)),
        )
    )


def pick(rows: Column, value: Column, wanted: Column) -> Column:
    """The rows whose value is wanted; -1 never is."""
    return memoryview(
        array("i", (row for row in rows if value[row] >= 0 and wanted[value[row]]))
    )


def gather(slice_event: Column, event_track: Column, of_track: Column) -> Column:
    """By slice the value of its track; -1 without."""
    tracks = (event_track[event] for event in slice_event)
    return memoryview(array("i", (of_track[at] if at >= 0 else -1 for at in tracks)))


def pairs(a: Column, b: Column) -> Pairs:
    """Numbers the pairs of each row; rows whose first value is negative get -1."""
    known: dict[tuple[int, int], int] = {}
    number, head = array("i"), array("i")
    for i, pair_ in enumerate(zip(a, b, strict=True)):
        if pair_[0] < 0:
            number.append(-1)
            continue
        found = known.setdefault(pair_, len(known))
        if found == len(head):
            head.append(i)
        number.append(found)
    return Pairs(*views((number, head)))


def distinct(column: Column, below: int) -> Column:
    """The values of a column, each once and in ascending order; -1 is left out."""
    assert max(column, default=-1) < below
    return memoryview(array("i", sorted({*column} - {-1})))


def tally(
    start: Column, end: Column, key: Column, kind: Column, keys: int, kinds: int
) -> Tally:
    """Count and total duration by key and kind (0 ≤ kind < kinds); key -1 does not count."""
    count, total = (array("q", bytes(8 * keys * kinds)) for _ in range(2))
    for i, k in enumerate(key):
        if k >= 0:
            at = k * kinds + kind[i]
            count[at] += 1
            total[at] = min(total[at] + end[i] - start[i], LARGEST)
    return Tally(*views((count, total)))
