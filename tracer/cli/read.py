"""Commands that read traces: report, why, pprof, export, diff."""

import sys
from pathlib import Path

import click

from tracer.cli.names import files, library_names, traces
from tracer.cli.options import Choice, exclude, given, need
from tracer.cli.viewing import viewer_command

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
    help="Exit with 3 if the report has one of these findings; `any` for any finding.",
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
    viewer = viewer_command("report")
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
    help="Only waits at this moment: 12.3s or 250ms after the start, or a time of day such as "
    "14:03:22.5.",
)
@click.option("--process", metavar="NAME|PID", help="Only waits of this process.")
@click.option("--region", metavar="NAME", help="Only waits within tracer.region(NAME).")
@click.option(
    "--worst",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How many waits to explain. Similar waits are grouped, and the longest is shown.",
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
    viewer = viewer_command("why")
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
@click.option(
    "--force", is_flag=True, help="Replace FILE even if it is a file of another kind."
)
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
    help="Which values of the profile to print, such as inuse_objects.",
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
    viewer = viewer_command("profiles")
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
@click.option(
    "--force", is_flag=True, help="Replace FILE even if it is a file of another kind."
)
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
    viewer = viewer_command("profiles")
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

    Only differences beyond noise are shown. The exit code is always 0.
    """
    exclude(ctx, ["as_json"], ["top"])
    viewer = viewer_command("diff")
    viewer.compare(a, b, as_json=as_json, top=top, out=sys.stdout, names=names)


COMMANDS = (report, why, pprof, export, diff)
