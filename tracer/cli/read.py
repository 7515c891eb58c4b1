"""Commands that read traces: report, why, dump, pprof, export, diff.

The viewer is imported by name, since the recorder must not depend on it.
"""

import importlib
import sys
from pathlib import Path

import click

from tracer.cli import keepers
from tracer.cli.names import files, library_names, traces
from tracer.cli.options import Choice, exclude, given, need
from tracer.live import client

EXIT_FOUND = 3  # of `report --fail-on`
PROFILES = (
    *("cpu", "wall", "sched", "block", "mutex", "io", "gc", "heap", "allocs"),
    *("goroutine", "threadcreate"),
)
OF_A_MOMENT = ("goroutine", "heap", "allocs")
FORMATS = ("chrome", "speedscope", "csv", "html", "parquet")
SECTIONS = (
    "findings",
    "processes",
    "jobs",
    "tasks",
    "latency",
    "regions",
    "threads",
    "locks",
    "io",
    "gc",
    "cpu",
    "memory",
    "escape",
    "health",
    "all",
)


@library_names
@click.command()
@traces
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with times in ns.")
@click.option(
    "--section",
    type=Choice(SECTIONS),
    help="Print this section, or all, instead of the first screen.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Rows per table.",
)
@click.option(
    "--by",
    type=Choice(["coro", "task"]),
    default="coro",
    show_default=True,
    help="One row per coroutine function, or one per task.",
)
@click.option(
    "--fail-on",
    metavar="FINDING,…",
    default="",
    help="Exit with 3 if one of these findings is there; `any` for all.",
)
@click.pass_context
def report(
    ctx: click.Context,
    trace: Path | tuple[Path, ...],
    as_json: bool,
    section: str | None,
    top: int,
    by: str,
    fail_on: str,
    names: str,
) -> int:
    """Show who waited, how long, and behind whom."""
    exclude(ctx, ["as_json"], ["top"])
    need(ctx, "top", "section")
    need(ctx, "by", "section", "as_json")
    viewer = importlib.import_module("viewer.commands.report")
    is_found = viewer.report(
        trace,
        as_json=as_json,
        section=section,
        top=top,
        by=by,
        out=sys.stdout,
        names=names,
        fail_on=fail_on,
    )
    return EXIT_FOUND if is_found else 0


@library_names
@click.command()
@traces
@click.option("--task", metavar="NAME|ID", help="Only waits of this task or coroutine.")
@click.option("--thread", metavar="NAME|TID", help="Only waits of this thread.")
@click.option(
    "--at",
    metavar="TIME",
    help="Only waits at this moment: 12.3s, 250ms, or by the clock 14:03:22.5.",
)
@click.option("--process", metavar="NAME|PID", help="Only waits of this process.")
@click.option("--region", metavar="NAME", help="Only waits within tracer.region(NAME).")
@click.option(
    "--worst",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Waits to explain; similar waits are grouped, the longest is shown.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with times in ns.")
def why(
    trace: Path | tuple[Path, ...],
    task: str | None,
    thread: str | None,
    at: str | None,
    process: str | None,
    region: str | None,
    worst: int,
    as_json: bool,
    names: str,
) -> None:
    """Explain the worst waits, with causes that add up.

    Each wait gets a paragraph, a tree of causes, and the steps that had to happen first.
    """
    viewer = importlib.import_module("viewer.commands.why")
    viewer.why(
        trace,
        task=task,
        thread=thread,
        at=at,
        region=region,
        process=process,
        most=worst,
        as_json=as_json,
        out=sys.stdout,
        names=names,
    )


@library_names
@click.command()
@files("file")
@click.option(
    "--type",
    "type_",
    type=Choice(PROFILES),
    default="cpu",
    show_default=True,
    help="Which profile to make from a trace, see above.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Where to write. [default: TRACE.TYPE.pprof; - is stdout]",
)
@click.option("--force", is_flag=True, help="Replace FILE even if it is of another kind.")
@click.option(
    "--region", metavar="NAME", help="Only what happened within regions of this name."
)
@click.option(
    "--at",
    metavar="TIME",
    help="The moment of a goroutine, heap or allocs profile. [default: the last one]",
)
@click.option("--top", is_flag=True, help="Print the functions with the largest values.")
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Rows that --top prints.",
)
@click.option(
    "--peek", metavar="REGEX", help="Print callers and callees of matching functions."
)
@click.option("--source", metavar="REGEX", help="Print matching functions line by line.")
@click.option(
    "--sample-index",
    metavar="NAME",
    help="Which numbers of the profile to print, such as inuse_objects.",
)
@click.option(
    "--diff",
    "base",
    metavar="BASE",
    type=click.Path(path_type=Path),
    help="Print how FILE differs from this trace or profile.",
)
@click.pass_context
def pprof(
    ctx: click.Context,
    file: Path | tuple[Path, ...],
    type_: str,
    output: str | None,
    force: bool,
    region: str | None,
    at: str | None,
    top: bool,
    rows: int,
    peek: str | None,
    source: str | None,
    sample_index: str | None,
    base: Path | None,
    names: str,
) -> None:
    """Write a profile for `go tool pprof`, or print one.

    FILE is a trace. The options that print also take any pprof file. The profiles of a trace:

    \b
    cpu    where CPU time was spent (sampled)
    wall   where time passed: running time sampled, blocked time exact
    sched  where tasks were made ready, by how long they waited to run
    block  where threads and tasks waited for locks, queues and events
    mutex  which holders made others wait for a lock
    io     where blocking calls were made, by how long they took
    gc     garbage collections, by generation
    heap   memory allocated and not freed (tracer run --heap)
    allocs memory allocated, freed or not
    goroutine     all threads and tasks of a moment (--at), by stack
    threadcreate  where threads were started
    """
    exclude(ctx, ["top"], ["peek"], ["source"], ["output", "force"])
    exclude(ctx, ["base"], ["output", "force"])
    exclude(ctx, ["rows"], ["peek"], ["source"])
    need(ctx, "rows", "top", "base")
    need(ctx, "sample_index", "top", "base", "peek", "source")
    if at is not None and type_ not in OF_A_MOMENT:
        raise click.UsageError(f"--at is for --type {', '.join(OF_A_MOMENT)} only.", ctx)
    viewer = importlib.import_module("viewer.commands.profiles")
    if top or base or peek is not None or source is not None:
        viewer.show_profile(
            file,
            type_,
            region=region,
            rows=rows,
            peek=peek,
            source=source,
            base=base,
            out=sys.stdout,
            names=names,
            at=at,
            sample_index=sample_index,
        )
        return
    written = viewer.write_profile(
        file, type_, output, force=force, region=region, names=names, at=at
    )
    if written != "-":
        click.echo(f"tracer: {type_} profile -> {written}", err=True)


@library_names
@click.command()
@files("target")
@click.option(
    "--at",
    metavar="TIME",
    help="The moment: 12.3s, 250ms, or by the clock 14:03:22.5. [default: the last one]",
)
@click.option("--tasks", is_flag=True, help="Print only tasks.")
@click.option("--threads", is_flag=True, help="Print only threads.")
@click.option("--full", is_flag=True, help="Print each by itself, as Go does with debug=2.")
@click.option("--compact", is_flag=True, help="Print counted stacks as Go does with debug=1.")
@click.option(
    "--retained",
    metavar="SITE",
    help="Print who keeps the objects that a line allocated (of a pid; with run --heap).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with times in ns.")
@click.pass_context
def dump(
    ctx: click.Context,
    target: Path | tuple[Path, ...],
    at: str | None,
    tasks: bool,
    threads: bool,
    full: bool,
    compact: bool,
    retained: str | None,
    as_json: bool,
    names: str,
) -> None:
    """Show what all threads and tasks did at a moment, or do now.

    TARGET is a trace, or the pid of a program that is being recorded. Threads and tasks are
    counted by identical stack. Each has its stack or chain of awaits, what it waits for, since
    when, and behind whom. What the trace does not show is "stack unknown".

    With --retained it says which variables lead to the live objects that a line allocated, as
    app.CACHE['ann'] -> list[3] -> Order. SITE is a function, file.py:12, or a row of
    `tracer report --section memory`.
    """
    exclude(ctx, ["tasks"], ["threads"], ["compact"])
    exclude(ctx, ["full"], ["compact"], ["as_json"])
    if retained is not None:
        exclude(ctx, ["retained"], ["at", "tasks", "threads", "full", "compact", "names"])
        if not (isinstance(target, Path) and is_pid(target)):
            raise click.UsageError("--retained is for a program that runs: give its pid.", ctx)
        keepers.show(str(target), retained, as_json=as_json)
        return
    forms = {"full": full, "compact": compact, "json": as_json}
    form = next((form for form, is_wanted in forms.items() if is_wanted), "text")
    only = "task" if tasks else "thread" if threads else None
    viewer = importlib.import_module("viewer.commands.dump")
    if not (isinstance(target, Path) and is_pid(target)):
        viewer.dump_trace(target, at=at, only=only, form=form, out=sys.stdout, names=names)
        return
    if at is not None:
        raise click.UsageError("--at is for a trace, not for a program that runs.", ctx)
    told = client.ask(client.address_of(str(target)), "stacks")
    viewer.dump_live(
        Path(told["file"]),
        told["pid"],
        told["now_ns"],
        only=only,
        form=form,
        out=sys.stdout,
        names=names,
    )


def is_pid(target: Path) -> bool:
    """Whether it is a number, and no file is called so."""
    return str(target).isdecimal() and str(target).isascii() and not target.exists()


@library_names
@click.command()
@traces
@click.option(
    "--format",
    "format_",
    type=Choice(FORMATS),
    required=True,
    help="html is the page of `tracer view` in one file, to share.",
)
@click.option(
    "--type",
    "type_",
    type=Choice(PROFILES),
    default="cpu",
    show_default=True,
    help="Which profile (speedscope only).",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Where to write. [default: beside TRACE; - is stdout]",
)
@click.option("--force", is_flag=True, help="Replace FILE even if it is of another kind.")
@click.pass_context
def export(
    ctx: click.Context,
    trace: Path | tuple[Path, ...],
    format_: str,
    type_: str,
    output: str | None,
    force: bool,
    names: str,
) -> None:
    """Convert a trace for other tools, or into one HTML file."""
    if "type_" in given(ctx) and format_ != "speedscope":
        raise click.UsageError("--type does nothing without --format speedscope.", ctx)
    viewer = importlib.import_module("viewer.commands.profiles")
    written = viewer.export(trace, format_, type_, output, force=force, names=names)
    if written != "-":
        click.echo(f"tracer: {format_} -> {written}", err=True)


@library_names
@click.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with times in ns.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Rows per table.",
)
@click.pass_context
def diff(ctx: click.Context, a: Path, b: Path, as_json: bool, top: int, names: str) -> None:
    """Show what got slower from trace A to trace B.

    Only differences beyond noise are shown. The exit code is 0 whatever they are.
    """
    exclude(ctx, ["as_json"], ["top"])
    viewer = importlib.import_module("viewer.commands.diff")
    viewer.compare(a, b, as_json=as_json, top=top, out=sys.stdout, names=names)


COMMANDS = (report, why, dump, pprof, export, diff)
