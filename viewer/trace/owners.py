"""Which task, coroutine or callback a slice belongs to: the Python twin of native/tasks.c."""

from array import array
from dataclasses import dataclass, field

from viewer.trace.columns import (
    AWAIT,
    GC,
    INT,
    LIFETIME,
    LOOP_CALLBACK,
    LOOP_TASK,
    OTHER,
    READY,
    SELECT,
    STRING,
    UINT,
    WAKER_GROUP,
    WAKER_LOST,
    WAKER_NONE,
    WAKER_SHIFT,
    WAKER_TEXT,
    WAKER_THREAD,
    Column,
    Owners,
    views,
)
from viewer.trace.symbols import (
    ARG_CORO,
    ARG_NAME,
    ARG_PARENT,
    ARG_SITE,
    ARG_WAKER,
    ARG_WAKER_TASK,
    ARG_WAKER_THREAD,
    CAT_GC,
    CAT_LIFETIME,
    CAT_LOOP,
    TASK,
)

_NUMBERS = (UINT, INT)
_TEXT = (STRING,)


@dataclass(slots=True)
class _Tasks:
    """The table of tasks while it is built."""

    index: dict[tuple[str, int, int], int] = field(default_factory=dict)
    id: array[int] = field(default_factory=lambda: array("q"))
    process: array[int] = field(default_factory=lambda: array("i"))
    head: array[int] = field(default_factory=lambda: array("i"))
    name: array[int] = field(default_factory=lambda: array("i"))
    coro: array[int] = field(default_factory=lambda: array("i"))
    site: array[int] = field(default_factory=lambda: array("i"))
    parent: array[int] = field(default_factory=lambda: array("q"))
    group: array[int] = field(default_factory=lambda: array("i"))

    def put(self, kind: str, process: int, id_: int, at: int) -> int:
        task = self.index.setdefault((kind, process, id_), len(self.id))
        if task == len(self.id):
            self.id.append(id_ if kind == "task" else -1)
            self.process.append(process)
            self.head.append(at)
            for column in (self.name, self.coro, self.site, self.parent):
                column.append(-1)
        return task


def assign(
    slice_event: Column,
    parent: Column,
    event_track: Column,
    event_name: Column,
    event_category: Column,
    arg_start: Column,
    arg_name: Column,
    arg_kind: Column,
    arg_value: Column,
    track_process: Column,
    symbols: Column,
    name_kind: Column,
) -> Owners:
    """The owner of every slice, and the tables of owners.

    A task slice without a task id of its own belongs to the slice around it, else to the last
    task on its track, else to a task of which only the track is known.
    """

    def find(event: int, symbol: int, kinds: tuple[int, ...]) -> int | None:
        for a in range(arg_start[event], arg_start[event + 1]):
            if arg_name[a] == symbols[symbol] and arg_kind[a] in kinds:
                return arg_value[a]
        return None

    def learn(task: int, event: int) -> None:
        name = find(event, ARG_NAME, _TEXT)
        if name is not None:
            tasks.name[task] = name
        for column, symbol, kinds in (
            (tasks.coro, ARG_CORO, _TEXT),
            (tasks.site, ARG_SITE, _TEXT),
            (tasks.parent, ARG_PARENT, _NUMBERS),
        ):
            value = find(event, symbol, kinds)
            if column[task] < 0 and value is not None:
                column[task] = value

    tasks = _Tasks()
    kind, owner, code = array("B"), array("i"), array("q")
    track_task: dict[int, int] = {}
    for i, event in enumerate(slice_event):
        category, name, track = event_category[event], event_name[event], event_track[event]
        state = name_kind[name] if name >= 0 else 0
        is_lifetime = category == symbols[CAT_LIFETIME]
        task, found = -1, OTHER
        if category == symbols[CAT_GC]:
            found = GC
        elif category == symbols[CAT_LOOP]:
            found = LOOP_CALLBACK  # until the second pass
        elif is_lifetime or (category == symbols[TASK] and READY <= state <= AWAIT):
            found = LIFETIME if is_lifetime else state
            id_ = find(event, TASK, _NUMBERS)
            if id_ is not None:
                task = tasks.put("task", track_process[track], id_, i)
                if not is_lifetime and parent[i] < 0:
                    track_task[track] = task
            elif parent[i] >= 0 and owner[parent[i]] >= 0:
                task = owner[parent[i]]
            elif track in track_task:
                task = track_task[track]
            else:
                task = tasks.put("track", track_process[track], track, i)
                track_task[track] = task
            learn(task, event)
        kind.append(found)
        owner.append(task)

    groups: dict[tuple[int, int, int], int] = {}
    group_head = array("i")
    for t, coro in enumerate(tasks.coro):
        track = event_track[slice_event[tasks.head[t]]]
        key = (-1, track, 0) if coro < 0 else (coro, tasks.site[t], 1)
        group = groups.setdefault(key, len(groups))
        if group == len(group_head):
            group_head.append(t)
        tasks.group.append(group)

    def waker(event: int) -> int:
        id_ = find(event, ARG_WAKER_TASK, _NUMBERS)
        if id_ is not None:
            task = tasks.index.get(("task", track_process[event_track[event]], id_))
            if task is None:
                return WAKER_LOST << WAKER_SHIFT
            return WAKER_GROUP << WAKER_SHIFT | tasks.group[task]
        tid = find(event, ARG_WAKER_THREAD, _NUMBERS)
        if tid is not None:
            return WAKER_THREAD << WAKER_SHIFT | (tid & 0xFFFF_FFFF)
        text = find(event, ARG_WAKER, _TEXT)
        return WAKER_NONE << WAKER_SHIFT if text is None else WAKER_TEXT << WAKER_SHIFT | text

    calls: dict[tuple[int, int, bool], int] = {}
    call_head = array("i")
    for i, event in enumerate(slice_event):
        code.append(-1)
        if kind[i] == READY:
            code[i] = waker(event)
        elif kind[i] == AWAIT:
            code[i] = event_name[event]
        elif kind[i] == LOOP_CALLBACK:
            name = event_name[event]
            id_ = find(event, TASK, _NUMBERS)
            if id_ is None and name >= 0 and name_kind[name] == SELECT:
                kind[i] = SELECT
                continue
            process = track_process[event_track[event]]
            known = None if id_ is None else tasks.index.get(("task", process, id_))
            if known is not None:
                kind[i], owner[i] = LOOP_TASK, known
                continue
            site = find(event, ARG_SITE, _TEXT)
            call = (name, -1 if site is None else site, id_ is not None)
            owner[i] = calls.setdefault(call, len(calls))
            if owner[i] == len(call_head):
                call_head.append(i)

    columns = (
        kind, owner, code,
        tasks.id, tasks.process, tasks.head, tasks.name, tasks.coro, tasks.site,
        tasks.parent, tasks.group,
        array("i", (name for name, _, _ in calls)), array("i", (site for _, site, _ in calls)),
        call_head, array("B", (is_task for _, _, is_task in calls)), group_head,
    )  # fmt: skip
    return Owners(*views(columns))
