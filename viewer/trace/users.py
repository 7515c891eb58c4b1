"""A trace in the user's names: waits and tasks of libraries get those of the user's code."""

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from tracer import schema as s
from viewer.trace.columns import AWAIT, LOOP_TASK, Column, Owners
from viewer.trace.reader import Trace
from viewer.trace.sites import IMPORT, NOWHERE, Site, entry, head, is_library, place_of, via
from viewer.trace.strings import Strings

_SHUTDOWN = ("BaseEventLoop.shutdown_asyncgens", "BaseEventLoop.shutdown_default_executor")
ASYNCIOS_OWN = "asyncio's own"
# Where asyncio's loop, or what runs another loop, calls a step.
_RUNS_STEPS = ("Handle._run", "BaseEventLoop.run_forever", "Runner.run")
_ENDS = (("__enter__", "__exit__"), ("__aenter__", "__aexit__"))
_OF_C = ":0 "  # a call of C code has no file
_OTHER_END = dict(_ENDS) | {leave: enter for enter, leave in _ENDS}


def _put(strings: Strings, text: str) -> int:
    """The number of a text, added if it is new; a Site replaces the same plain text."""
    number = strings.find(text)
    if number < 0:
        return _add(strings, text)
    if isinstance(text, Site):
        strings[number] = text
    return number


def _add(strings: Strings, text: str) -> int:
    """The number of a new string, even if there is one with the same text."""
    strings.append(text)
    return len(strings) - 1


def _every_slice(trace: Trace) -> Column:
    """The numbers of all slices."""
    slices = trace.slices
    marks = memoryview(b"\1" * len(slices.event))
    return trace.engine.longer(slices.start_ns, slices.end_ns, marks, 0)


def name_args(trace: Trace, name: int) -> Column:
    """`find_args` over a trace's slices."""
    events, slices = trace.events, trace.slices
    return trace.engine.find_args(
        slices.event,
        slices.end_event,
        events.arg_start,
        events.arg_name,
        events.arg_kind,
        name,
    )


def with_user_sites(trace: Trace) -> Trace:
    """The trace; every wait and call inside a library has the user's frame as its site."""
    texts, engine = trace.events.strings, trace.engine
    heads = {i: at for i in engine.calling(texts) if (at := head(texts[i]))}
    if not heads:
        return trace
    head_of = array("i", [-1]) * len(texts)
    called: dict[str, Counter[str]] = {}
    for at in heads.values():
        if via(at) not in ("", IMPORT):
            called.setdefault(at, Counter())[via(at)] += 1
    for text, ways in called.items():
        _put(texts, Site(text, _way(ways)))
    # A line that imports, and calls something as well, is two sites.
    imports = {str(at): at for at in heads.values() if via(at) == IMPORT}
    import_of = {text: _add(texts, at) for text, at in imports.items()}
    for i, at in heads.items():
        head_of[i] = import_of[str(at)] if via(at) == IMPORT else _put(texts, str(at))
    names = (s.ARG_SITE, s.ARG_STACK, s.ARG_CORO)
    site_at, stack_at, own = (name_args(trace, texts.find(name)) for name in names)
    _keep_foreign_releases(trace, texts, site_at, stack_at)
    values = trace.events.arg_value
    library = bytearray(len(texts))
    for site in engine.distinct(engine.narrow(engine.take(values, site_at, -1)), len(texts)):
        library[site] = is_library(texts[site])
    values = engine.head_sites(
        values,
        site_at,
        stack_at,
        own,
        memoryview(head_of),
        memoryview(library),
    )
    return trace._replace(events=trace.events._replace(arg_value=values))


def _way(ways: Counter[str]) -> str:
    """The function that is called most at a line; of a `with` that waits as it is entered and
    as it is left, the class: `PoolAcquireContext`."""
    most, _ = ways.most_common(1)[0]
    owner, _, method = most.rpartition(".")
    other = f"{owner}.{_OTHER_END.get(method, '')}"
    return owner if owner and other in ways else most


def _keep_foreign_releases(
    trace: Trace, texts: Strings, site_at: Column, stack_at: Column
) -> None:
    """Drops the stacks of holds that ended in another function than the one that acquired.

    A hold's stack is that of its release. Only in the function that acquired the lock does it
    show whose hold it was.
    """
    hold, events = texts.find(s.CAT_HOLD), trace.events
    known: dict[tuple[int, int], bool] = {}
    if hold < 0:
        return
    wanted = bytearray(len(texts))
    wanted[hold] = 1
    category = trace.engine.gather(
        trace.slices.event, events.category, trace.engine.upto(0, len(wanted))
    )
    for i in trace.engine.pick(_every_slice(trace), category, memoryview(wanted)):
        if site_at[i] < 0 or stack_at[i] < 0:
            continue
        pair = events.arg_value[site_at[i]], events.arg_value[stack_at[i]]
        if pair not in known:
            taken, stack = (trace.text(text) for text in pair)
            where = place_of(taken)._replace(line=0)
            known[pair] = any(
                place_of(frame)._replace(line=0) == where for frame in stack.split("\n")
            )
        if not known[pair]:
            stack_at[i] = -1


def with_user_tasks(
    trace: Trace, owned: Owners, lane: Column, tids: list[tuple[int, int]]
) -> Trace:
    """The trace; a task of a library's coroutine is named by the user's function.

    So is one whose coroutine is at no known place (grpc's, in Cython). It is the function of
    the user's code that the task was seen in: in its awaits, in the stacks of its thread's
    waits and in the CPU samples of its steps. `lane` has the loop of each slice, `tids` the
    (pid, tid) of each loop's thread.
    """
    libraries = {
        site: text == NOWHERE or is_library(text)
        for site in set(owned.task_site)
        for text in (trace.text(site),)
    }
    if not any(libraries.values()):
        return trace
    coros = name_args(trace, trace.symbol(s.ARG_CORO))
    heads = {
        task: slice_
        for task, (slice_, site) in enumerate(
            zip(owned.task_head, owned.task_site, strict=True)
        )
        if libraries[site] and coros[slice_] >= 0
    }
    if not heads:
        return trace
    texts = trace.events.strings
    # Of asyncio's own no user's code is to be seen.
    asked = {task for task in heads if trace.text(owned.task_coro[task]) not in _SHUTDOWN}
    seen: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
    first_line: dict[tuple[str, str], int] = {}
    for task, frame in (
        *(_in_awaits(trace, owned, texts, asked) if asked else ()),
        *(_in_steps(trace, owned, texts, asked, lane, tids) if asked else ()),
    ):
        path, line, function = place_of(frame)
        seen[task][path, function] += 1
        first_line[path, function] = min(line, first_line.get((path, function), line))
    values = array("q")
    values.frombytes(trace.events.arg_value.cast("B"))
    numbers: dict[tuple[str, str], int] = {}
    sites = name_args(trace, texts.find(s.ARG_SITE))
    for task, slice_ in heads.items():
        coro = trace.text(owned.task_coro[task])
        if task in seen:
            times = seen[task]
            path, name = min(times, key=lambda each: (-times[each], each))
            site = f"{path}:{first_line[path, name]} {name}"
        elif coro in _SHUTDOWN:
            name, site = ASYNCIOS_OWN, ""
        else:
            continue
        values[coros[slice_]] = _put(texts, name)
        if sites[slice_] >= 0:
            # A separate string: a wait at that place was not inside the coroutine's library.
            if (site, coro) not in numbers:
                named = Site(site, coro)
                numbers[site, coro] = _add(texts, named) if site else _put(texts, "")
            values[sites[slice_]] = numbers[site, coro]
    events = trace.events._replace(arg_value=memoryview(values))
    return trace._replace(events=events)


def _in_awaits(
    trace: Trace, owned: Owners, texts: Strings, heads: Iterable[int]
) -> Iterator[tuple[int, str]]:
    """(task, the user's frame) for the awaits of a library's tasks, once per stack."""
    stack_at = name_args(trace, texts.find(s.ARG_STACK))
    values = trace.events.arg_value
    every = trace.engine.upto(0, len(owned.task_id))
    tasks = trace.engine.group_keys(owned.kind, owned.owner, every, AWAIT)
    stacks = memoryview(array("i", (values[at] if at >= 0 else -1 for at in stack_at)))
    wanted, entries = set(heads), dict[int, str]()
    for slice_ in trace.engine.pairs(tasks, stacks).head:
        task, stack = tasks[slice_], stacks[slice_]
        if task in wanted and stack >= 0:
            if stack not in entries:
                entries[stack] = entry(trace.text(stack).split("\n"))
            if entries[stack]:
                yield task, entries[stack]


def _in_steps(
    trace: Trace,
    owned: Owners,
    texts: Strings,
    heads: Iterable[int],
    lane: Column,
    tids: list[tuple[int, int]],
) -> Iterator[tuple[int, str]]:
    """(task, the user's frame) for a library's steps, as seen on their threads."""
    wanted, slices = set(heads), trace.slices
    steps: dict[tuple[int, int], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    mark = memoryview(bytes(task in wanted for task in range(len(owned.task_id))))
    every = trace.engine.group_keys(
        owned.kind, owned.owner, trace.engine.upto(0, len(mark)), LOOP_TASK
    )
    for i in trace.engine.pick(_every_slice(trace), every, mark):
        if lane[i] >= 0:
            for column, value in zip(
                steps[tids[lane[i]]], (slices.start_ns[i], i), strict=True
            ):
                column.append(value)
    for (pid, tid), time_ns, frames in (*_waits(trace, texts, steps), *_samples(trace, steps)):
        starts, rows = steps[pid, tid]
        at = bisect_right(starts, time_ns) - 1
        if at < 0 or slices.end_ns[rows[at]] <= time_ns:
            continue
        task = owned.owner[rows[at]]
        is_nowhere = trace.text(owned.task_site[task]) == NOWHERE
        outside = _RUNS_STEPS if is_nowhere else (trace.text(owned.task_coro[task]),)
        inside = _inside(frames, outside)
        if inside:
            yield task, inside


def _inside(frames: list[str], outside: tuple[str, ...]) -> str:
    """Where one of these functions entered the user's code; frames are innermost first."""
    for i, frame in enumerate(frames):
        if place_of(frame).function in outside:
            return entry(frames[:i])
    return entry(frames[:-1]) if frames[-1] == s.FRAME_TRUNCATED else ""


type _Seen = Iterator[tuple[tuple[int, int], int, list[str]]]


def _waits(trace: Trace, texts: Strings, threads: Iterable[tuple[int, int]]) -> _Seen:
    """(thread, when, frames) of the waits and calls of these threads."""
    wanted = set(threads)
    thread_of = {
        i: (track.pid, track.tid)
        for i, uuid in enumerate(trace.events.uuids)
        if (track := trace.tracks.get(uuid)) and (track.pid, track.tid) in wanted
    }
    events, values = trace.events, trace.events.arg_value
    split: dict[int, list[str]] = {}
    for i, at in enumerate(name_args(trace, texts.find(s.ARG_STACK))):
        thread = thread_of.get(events.track[trace.slices.event[i]]) if at >= 0 else None
        if thread is not None:
            stack = values[at]
            if stack not in split:
                split[stack] = trace.text(stack).split("\n")
            yield thread, trace.slices.start_ns[i], split[stack]


def _samples(trace: Trace, threads: Iterable[tuple[int, int]]) -> _Seen:
    """(thread, when, frames) of the CPU samples of these threads."""
    e, wanted = trace.events, set(threads)
    frames: dict[int, list[str]] = {}
    for i, tid in enumerate(e.sample_tid):
        thread, stack = (e.sample_pid[i], tid), e.sample_stack[i]
        if thread not in wanted or stack < 0:
            continue
        if stack not in frames:
            numbers = e.stack_frame[e.stack_start[stack] : e.stack_start[stack + 1]]
            known = [_frame(trace, number) for number in reversed(numbers)]
            frames[stack] = known[1:] if known[1:] and known[0].startswith(_OF_C) else known
        yield thread, e.sample_time_ns[i], frames[stack]


def _frame(trace: Trace, number: int) -> str:
    e = trace.events
    path, function = trace.text(e.frame_path[number]), trace.text(e.frame_function[number])
    return f"{path}:{e.frame_line[number]} {function}"
