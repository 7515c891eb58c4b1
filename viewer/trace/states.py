"""What threads did and who held the locks: the Python twin of native/states.c."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from viewer.trace.columns import (
    AWAIT,
    BOOL,
    CONTINUES,
    FAILED,
    HOLD,
    HOLDING,
    HOLDING_MODES,
    IDLE_WAIT,
    INT,
    IO,
    LARGEST,
    LOCK_WAIT,
    OFF_CPU,
    PREEMPTED,
    SLEEP,
    STATE_MASK,
    STRING,
    TASK_WAIT,
    THREAD_RUNNING,
    UINT,
    Column,
    States,
    views,
)
from viewer.trace.symbols import (
    ACQUIRED,
    ATTACHED,
    BYTES,
    CONTINUES_CALL,
    HOLDING_GIL,
    KIND,
    LOCK,
    OWNER,
    OWNER_NAME,
    OWNER_SITE,
    OWNER_TASK,
    RELEASE,
    SITE,
)

_NUMBERS = (BOOL, UINT, INT)
_TEXT = (STRING,)
_MODES = {THREAD_RUNNING: 0, PREEMPTED: 1, OFF_CPU: 2, IO: 3}
_WAITS = (LOCK_WAIT, IDLE_WAIT)
_64_BITS = (1 << 64) - 1


def _ints() -> array[int]:
    return array("i")


def _longs() -> array[int]:
    return array("q")


@dataclass(slots=True)
class _Out:
    """The columns while they are built, and the newest rows."""

    start: array[int] = field(default_factory=_longs)
    end: array[int] = field(default_factory=_longs)
    busy_end: array[int] = field(default_factory=_longs)
    state: array[int] = field(default_factory=lambda: array("B"))
    slice: array[int] = field(default_factory=_ints)
    who: array[int] = field(default_factory=_ints)
    row: array[int] = field(default_factory=_ints)
    owner: array[int] = field(default_factory=_ints)
    site: array[int] = field(default_factory=_ints)
    waker: array[int] = field(default_factory=_ints)
    first: array[int] = field(default_factory=_longs)
    last: array[int] = field(default_factory=_longs)
    call_process: array[int] = field(default_factory=_ints)
    call_name: array[int] = field(default_factory=_ints)
    call_site: array[int] = field(default_factory=_ints)
    call_bytes: array[int] = field(default_factory=_longs)
    lock_id: array[int] = field(default_factory=_longs)
    lock_process: array[int] = field(default_factory=_ints)
    lock_name: array[int] = field(default_factory=_ints)
    lock_site: array[int] = field(default_factory=_ints)
    lock_kind: array[int] = field(default_factory=_ints)
    owner_id: array[int] = field(default_factory=_longs)
    owner_process: array[int] = field(default_factory=_ints)
    owner_is_task: array[int] = field(default_factory=lambda: array("B"))
    owner_name: array[int] = field(default_factory=_ints)
    owner_site: array[int] = field(default_factory=_ints)

    def columns(self) -> Iterator[array[int]]:
        return (getattr(self, name) for name in self.__slots__)

    def cut(self, row: int, at: int) -> None:
        """Ends an open state where the next one begins, since its own end was lost."""
        self.end[row] = min(self.end[row], at)


def states(
    slice_event: Column,
    end_event: Column,
    start: Column,
    end: Column,
    event_track: Column,
    event_name: Column,
    event_category: Column,
    arg_start: Column,
    arg_name: Column,
    arg_kind: Column,
    arg_value: Column,
    track_process: Column,
    track_thread: Column,
    symbols: Column,
    category_state: Column,
    name_state: Column,
    owner_kind: Column,
    slice_owner: Column,
    flow_event: Column,
    flow_id: Column,
    flow_end: Column,
    threads: int,
) -> States:
    """The rows and tables of States. Arguments of an END come before those of its BEGIN.

    `category_state` and `name_state` give by string the state that it names, or 0;
    THREAD_RUNNING for a category means that the name decides.
    """

    def find(i: int, symbol: int, kinds: tuple[int, ...]) -> int | None:
        for event in (end_event[i], slice_event[i]):
            if event >= 0:
                for a in range(arg_start[event], arg_start[event + 1]):
                    if arg_name[a] == symbols[symbol] and arg_kind[a] in kinds:
                        return arg_value[a]
        return None

    def text(i: int, symbol: int) -> int:
        found = find(i, symbol, _TEXT)
        return -1 if found is None else found

    def put_owner(i: int, state: int, name: int, site: int) -> int:
        task, thread = find(i, OWNER_TASK, _NUMBERS), find(i, OWNER, _NUMBERS)
        id_ = thread if task is None else task
        if id_ is None:
            if state != HOLD:
                return -1
            id_ = -1
        process = track_process[event_track[slice_event[i]]]
        # Ids stay below 2^47: the bits above are the process.
        known = (id_ << 1 | (task is not None)) ^ (process & 0xFFFF_FFFF) << 48
        key = (known & _64_BITS, name, site)
        owner = owners.setdefault(key, len(owners))
        if owner == len(out.owner_id):
            out.owner_id.append(id_)
            out.owner_process.append(process)
            out.owner_is_task.append(task is not None)
            out.owner_name.append(name)
            out.owner_site.append(site)
        return owner

    def put_lock(i: int, state: int, site: int) -> int:
        event = slice_event[i]
        name, process = event_name[event], track_process[event_track[event]]
        id_ = find(i, LOCK, _NUMBERS)
        key = (process, -1, name, site) if id_ is None else (process, 0, id_, 0)
        lock = locks.setdefault(key, len(locks))
        if lock == len(out.lock_id):
            out.lock_id.append(-1 if id_ is None else id_)
            out.lock_process.append(process)
            for column in (out.lock_name, out.lock_site, out.lock_kind):
                column.append(-1)
        if out.lock_kind[lock] < 0:
            out.lock_kind[lock] = text(i, KIND)
        if state != HOLD and out.lock_name[lock] < 0:
            out.lock_name[lock], out.lock_site[lock] = name, site
        return lock

    def put_call(i: int, site: int) -> int:
        event = slice_event[i]
        key = (track_process[event_track[event]], event_name[event], site)
        call = calls.setdefault(key, len(calls))
        if call == len(out.call_name):
            for column, value in zip(
                (out.call_process, out.call_name, out.call_site), key, strict=True
            ):
                column.append(value)
            out.call_bytes.append(-1)
        size = find(i, BYTES, _NUMBERS)
        if size is not None and size >= 0:
            out.call_bytes[call] = min(max(out.call_bytes[call], 0) + size, LARGEST)
        return call

    def follow(i: int, thread: int, row: int) -> None:
        """Links the newest row to those before it on its thread."""
        before, newest = last_row[thread], len(out.who) - 1
        if before < 0:
            out.first[thread] = start[i]
        else:
            out.cut(before, start[i])
            if out.state[before] & STATE_MASK in _WAITS and out.end[before] == start[i]:
                out.waker[before] = granted.get(slice_event[i], -1)
        if out.state[newest] & STATE_MASK == IO:
            first = last_call[thread]
            if first < 0 or out.row[first] != row or not out.state[newest] & CONTINUES:
                out.state[newest] &= ~CONTINUES & 0xFF
                last_call[thread] = newest
        last_row[thread] = newest

    def state_of(i: int) -> tuple[int, int]:
        """The state and its thread; state 0 for other slices."""
        event = slice_event[i]
        category, name, track = event_category[event], event_name[event], event_track[event]
        named = name_state[name] if name >= 0 else 0
        state = category_state[category] if category >= 0 else 0
        if owner_kind[i] == AWAIT:
            waits = find(i, LOCK, _NUMBERS) is not None
            return (TASK_WAIT, slice_owner[i]) if waits else (0, -1)
        if state == THREAD_RUNNING:
            state = named if THREAD_RUNNING <= named <= OFF_CPU else 0
        elif state == LOCK_WAIT and named == IDLE_WAIT:
            state = IDLE_WAIT
        if state == HOLD:
            return HOLD, -1
        who = track_thread[track]
        return (state, who) if who >= 0 else (0, -1)

    released: dict[int, int] = {}
    granted: dict[int, int] = {}
    for f, event in enumerate(flow_event):
        if not flow_end[f] and event_name[event] == symbols[RELEASE]:
            released.setdefault(flow_id[f], track_thread[event_track[event]])
    if released:
        for f, event in enumerate(flow_event):
            if flow_end[f] and flow_id[f] in released:
                granted.setdefault(event, released[flow_id[f]])

    out = _Out()
    owners: dict[tuple[int, int, int], int] = {}
    locks: dict[tuple[int, int, int, int], int] = {}
    calls: dict[tuple[int, int, int], int] = {}
    last_row, last_call = [-1] * threads, [-1] * threads
    last_hold: dict[int, int] = {}
    out.first.extend([0] * threads)
    out.last.extend([0] * threads)
    for i in range(len(slice_event)):
        state, who = state_of(i)
        if not state:
            continue
        row = owner = site = -1
        if state >= LOCK_WAIT:
            site = text(i, SITE)
        if state in (IO, SLEEP):
            row = put_call(i, site)
        base = state
        if state == IO and find(i, CONTINUES_CALL, _NUMBERS):
            state |= CONTINUES
        if base in (*_WAITS, TASK_WAIT):
            owner = put_owner(i, base, text(i, OWNER_NAME), text(i, OWNER_SITE))
            row = put_lock(i, base, site)
            if state == IDLE_WAIT and owner >= 0:
                state = LOCK_WAIT
            if find(i, ACQUIRED, _NUMBERS) == 0:
                state |= FAILED
        elif base == HOLD:
            owner = put_owner(i, base, event_name[slice_event[i]], site)
            row = put_lock(i, base, site)
            if row in last_hold:
                out.cut(last_hold[row], start[i])
            last_hold[row] = len(out.who)
        runs = base == THREAD_RUNNING and event_name[slice_event[i]] != symbols[ATTACHED]
        if runs or (base in _MODES and find(i, HOLDING_GIL, _NUMBERS)):
            state |= HOLDING
            owner = who * HOLDING_MODES + _MODES[base]
        out.start.append(start[i])
        out.end.append(end[i])
        out.state.append(state)
        out.slice.append(i)
        out.who.append(who)
        out.row.append(row)
        out.owner.append(owner)
        out.site.append(site)
        out.waker.append(-1)
        if base not in (HOLD, TASK_WAIT):
            follow(i, who, row)

    out.busy_end.extend(out.end)
    last_call = [-1] * threads
    for r, state in enumerate(out.state):
        who, base = out.who[r], state & STATE_MASK
        if base in (HOLD, TASK_WAIT):
            continue
        out.last[who] = max(out.last[who], out.end[r])
        if state & CONTINUES:
            out.busy_end[last_call[who]] += out.end[r] - out.start[r]
        elif base == IO:
            last_call[who] = r
    return States(*views(out.columns()))
