"""`tracer dump`: all threads and tasks of a moment, with their stacks."""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import TextIO

from tracer import schema as s
from viewer.analysis.dump.entry import Dump, Entry, What
from viewer.analysis.dump.moment import dump
from viewer.analysis.profiles.within import Everywhere
from viewer.commands.garbage import keep, uncollected
from viewer.commands.moment import moment_in, parse_time
from viewer.commands.profiles import made
from viewer.commands.report import announce
from viewer.render.formats.go_text import render_goroutines, render_profile
from viewer.render.json.dump import render_json
from viewer.render.text.dump import render_text
from viewer.render.text.tables import Style
from viewer.trace.files import Given
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace
from viewer.trace.sites import Names

_SHORTLY_NS = 1_000_000_000
_NO_STACKS = (
    "the threads' stacks of this moment are missing: "
    "a thread kept the GIL, or the machine is overloaded"
)
_PATIENCE_S = (0.2, 1, 4)  # until stacks that were asked for are in the trace


class Form(StrEnum):
    """How a dump is written."""

    TEXT = "text"  # counted by identical stack
    COMPACT = "compact"  # the same as Go prints it with debug=1
    FULL = "full"  # one by one, as Go prints goroutines with debug=2
    JSON = "json"


@uncollected()
def dump_trace(
    trace: Given,
    *,
    at: str | None,
    only: str | None,
    form: str,
    out: TextIO,
    names: str = Names.USER,
) -> None:
    """Writes what the threads and tasks of a trace did at a moment, by default its last one.

    `only` is one of What, or None for both. Raises TraceFileError when the trace cannot be
    read, UsageError or NotInTraceError when it has no such moment.
    """
    if at is not None:
        parse_time(at)  # a mistake is told before the trace is read
    announce(trace)
    model = keep(build_model(read_trace(trace), names))
    at_ns = moment_in(model, at) if at is not None else _last(model)
    _write(model, dump(model, at_ns), model.trace.name, only, form, out)


def _last(model: Model) -> int:
    """The last moment of a trace; that of a dump, if it was made for one."""
    marked = [remark.time_ns for remark in model.remarks.named(s.STACKS_MARKED)]
    return marked[-1] if marked and model.end_ns - marked[-1] < _SHORTLY_NS else model.end_ns


def read_marked(
    trace: Given,
    pid: int,
    after_ns: int,
    names: str = Names.USER,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Model, int]:
    """A trace that is being written, once it says where all threads of a process were after
    that time, and that moment; 0 if it does not come to say so."""
    for patience_s in _PATIENCE_S:
        sleep(patience_s)
        model = build_model(read_trace(trace), names)
        marked = [
            remark.time_ns
            for remark in model.remarks.named(s.STACKS_MARKED)
            if remark.time_ns >= after_ns and model.pid(remark.process) == pid
        ]
        if marked:
            return model, marked[0]
    return model, 0


def dump_live(
    trace: Given,
    pid: int,
    after_ns: int,
    *,
    only: str | None,
    form: str,
    out: TextIO,
    names: str = Names.USER,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """The same of a process that is being recorded into the trace, of this very moment.

    Its recorder has been asked to record where all threads are; that is in the trace some time
    after `after_ns`. A thread that keeps the GIL can make that late: then it is left out.
    """
    model, at_ns = read_marked(trace, pid, after_ns, names, sleep)
    found = dump(model, at_ns or model.end_ns)
    entries = tuple(entry for entry in found.entries if model.pid(entry.process) == pid)
    late = () if at_ns else (_NO_STACKS,)
    remarks = (*found.remarks, *late)
    # The others keep their place, since entries refer to each other by it.
    shown = found._replace(remarks=remarks)
    _write(model, shown, f"process {pid}", only, form, out, entries)


def _write(
    model: Model,
    found: Dump,
    title: str,
    only: str | None,
    form: str,
    out: TextIO,
    entries: tuple[Entry, ...] | None = None,
) -> None:
    wanted = frozenset(What) if only is None else {What(only)}
    there = found.entries if entries is None else entries
    shown = tuple(entry for entry in there if entry.what in wanted)
    if form == Form.JSON:
        pids = model.trace.processes.pid.tolist()
        out.write(render_json(found, shown, str(model.trace.path), pids))
    elif form == Form.FULL:
        out.write(render_goroutines(found, shown))
    elif form == Form.COMPACT:
        profile = made(model, "goroutine", Everywhere(found.at_ns))
        out.write(render_profile("goroutine", profile))
    else:
        out.write(render_text(found, shown, title, Style.of(out)))
