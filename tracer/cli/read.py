"""Commands that read traces and print or write: report, why, diff, pprof, export.

The viewer is looked up by name: the recorder's room must not depend on it.
"""

import importlib
import sys
from pathlib import Path

import click

from tracer.cli.names import library_names

PROFILES = ("cpu", "wall", "sched", "block", "mutex", "io", "gc")
FORMATS = ("chrome", "speedscope", "csv", "html", "parquet")
SECTIONS = (
    "findings",
    "tasks",
    "latency",
    "regions",
    "threads",
    "locks",
    "io",
    "gc",
    "cpu",
    "health",
)


@library_names
@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Everything, for programs.")
@click.option("--section", type=click.Choice(SECTIONS), help="Only this part.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Rows per table.",
)
@click.option(
    "--by",
    type=click.Choice(["coro", "task"]),
    default="coro",
    show_default=True,
    help="One row per coroutine function, or per task.",
)
def report(
    trace: Path, as_json: bool, section: str | None, top: int, by: str, names: str
) -> None:
    """Say in a page who waited, how long, and behind whom."""
    viewer = importlib.import_module("viewer.commands.report")
    viewer.report(
        trace, as_json=as_json, section=section, top=top, by=by, out=sys.stdout, names=names
    )


@library_names
@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--task", metavar="NAME|ID", help="Only waits of this task, or coroutine.")
@click.option("--thread", metavar="NAME|TID", help="Only waits of this thread.")
@click.option("--at", metavar="TIME", help="Only waits at this moment: 12.3s, 250ms, 12.3.")
@click.option("--region", metavar="NAME", help="Only waits within tracer.region(NAME).")
@click.option(
    "--worst",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How many waits; of those alike only the longest.",
)
@click.option("--json", "as_json", is_flag=True, help="The same, for programs.")
def why(
    trace: Path,
    task: str | None,
    thread: str | None,
    at: str | None,
    region: str | None,
    worst: int,
    as_json: bool,
    names: str,
) -> None:
    """Explain the worst waits: in words, in numbers that add up, and what came before."""
    viewer = importlib.import_module("viewer.commands.why")
    viewer.why(
        trace,
        task=task,
        thread=thread,
        at=at,
        region=region,
        most=worst,
        as_json=as_json,
        out=sys.stdout,
        names=names,
    )


@library_names
@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--type",
    "type_",
    type=click.Choice(PROFILES),
    default="cpu",
    show_default=True,
    help="Which profile of a trace.",
)
@click.option(
    "-o", "--output", metavar="FILE", help="[default: TRACE.TYPE.pprof; - is stdout]"
)
@click.option("--force", is_flag=True, help="Replace FILE whatever it is.")
@click.option("--region", metavar="NAME", help="Only what lies within regions of this name.")
@click.option("--top", is_flag=True, help="Print the functions that have most.")
@click.option("--rows", type=click.IntRange(min=1), default=20, help="Rows of --top.")
@click.option("--peek", metavar="REGEX", help="Print callers and callees of functions.")
@click.option("--source", metavar="REGEX", help="Print functions line by line.")
@click.option(
    "--diff",
    "base",
    metavar="BASE",
    type=click.Path(path_type=Path),
    help="Print what FILE has more or less than this one.",
)
def pprof(
    file: Path,
    type_: str,
    output: str | None,
    force: bool,
    region: str | None,
    top: bool,
    rows: int,
    peek: str | None,
    source: str | None,
    base: Path | None,
    names: str,
) -> None:
    """Write a profile of a trace for `go tool pprof`, or print one.

    FILE is a trace, or, to be printed, any pprof file.
    """
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
        )
        return
    written = viewer.write_profile(
        file, type_, output, force=force, region=region, names=names
    )
    if written != "-":
        click.echo(f"tracer: {type_} profile -> {written}", err=True)


@library_names
@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(FORMATS), required=True)
@click.option(
    "--type",
    "type_",
    type=click.Choice(PROFILES),
    default="cpu",
    show_default=True,
    help="Which profile (speedscope only).",
)
@click.option("-o", "--output", metavar="FILE", help="[default: beside TRACE; - is stdout]")
@click.option("--force", is_flag=True, help="Replace FILE whatever it is.")
def export(
    trace: Path, format_: str, type_: str, output: str | None, force: bool, names: str
) -> None:
    """Write a trace in another tool's format."""
    viewer = importlib.import_module("viewer.commands.profiles")
    written = viewer.export(trace, format_, type_, output, force=force, names=names)
    if written != "-":
        click.echo(f"tracer: {format_} -> {written}", err=True)


@library_names
@click.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Everything, for programs.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Rows per table.",
)
def diff(a: Path, b: Path, as_json: bool, top: int, names: str) -> None:
    """Say what got slower from trace A to trace B, beyond noise.

    Exits 0 whatever it finds.
    """
    viewer = importlib.import_module("viewer.commands.diff")
    viewer.compare(a, b, as_json=as_json, top=top, out=sys.stdout, names=names)


COMMANDS = (report, why, pprof, export, diff)
