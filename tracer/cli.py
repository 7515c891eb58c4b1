"""The command line: checks what the user typed, then hands over to the launcher or the viewer.

It never runs in the traced process: `tracer run` replaces itself by a fresh interpreter.
"""

import importlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from tracer import __version__, program
from tracer.errors import TracerError

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 1  # as click has it
SUFFIX = ".pftrace"
DEFAULT_BUFFER = "64M"
SMALLEST_BUFFER = 1 << 20
LARGEST_BUFFER = 1 << 40

# Switch -> the signal it turns off, with what is then missing.
SIGNALS = {
    "tasks": "asyncio tasks and callbacks",
    "threads": "starts and ends of threads",
    "gc": "garbage collector pauses",
    "gil": "who has the GIL and who waits for it (thread states)",
    "locks": "who waits for locks and who has them",
    "io": "names of blocking calls",
    "sched": "what the kernel does with the threads",
    "cpu": "CPU samples",
}
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
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


def parse_size(_ctx: click.Context, _parameter: click.Parameter, text: str) -> int:
    """`64M` -> bytes."""
    match = re.fullmatch(r"(\d+)([KMG]?)(?:i?B)?", text, re.IGNORECASE)
    if match is None:
        raise click.BadParameter(f"{text!r} is not a size such as {DEFAULT_BUFFER}")
    size_bytes = int(match[1]) * UNITS[match[2].upper()]
    if not SMALLEST_BUFFER <= size_bytes <= LARGEST_BUFFER:
        raise click.BadParameter(f"{text!r} is not between 1M and 1024G")
    return size_bytes


class RunCommand(click.Command):
    """Options up to the program; from there on every argument is the program's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        takes_value = {
            option
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option) and not parameter.is_flag
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        start = 0
        while start < len(args) and not program.begins_at(args[start]):
            start += 2 if args[start] in takes_value else 1
        ctx.meta["program"] = args[start:]
        return super().parse_args(ctx, args[:start])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS] script.py | -m module | -c code | console-script [ARGS]..."]


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="tracer %(version)s")
def commands() -> None:
    """Record what a Python program does, and find out why it waited and behind whom."""


def signal_switches(command: click.Command) -> click.Command:
    """Add `--no-<signal>` for every signal of the table."""
    for signal, missing in SIGNALS.items():
        help_text = f"Do not record {missing}."
        command.params.append(click.Option([f"--no-{signal}"], is_flag=True, help=help_text))
    return command


@signal_switches
@commands.command(cls=RunCommand)
@click.option("-o", "--output", metavar="FILE", help=f"The trace. [default: PROGRAM{SUFFIX}]")
@click.option("--force", is_flag=True, help="Replace FILE even when it is not a trace.")
@click.option(
    "--buffer",
    "buffer_bytes",
    callback=parse_size,
    default=DEFAULT_BUFFER,
    show_default=True,
    metavar="SIZE",
    help="Memory for events not yet written; beyond it they are dropped and counted.",
)
@click.option(
    "--cpu-hz",
    type=click.IntRange(1, 5000),
    default=100,
    show_default=True,
    help="CPU samples per second of each thread's CPU time; beyond the kernel's tick rate, "
    "a sample stands for several.",
)
@click.option(
    "--io-threshold",
    "io_threshold_us",
    type=click.IntRange(0, 1_000_000),
    default=20,
    show_default=True,
    metavar="MICROSECONDS",
    help="Blocking calls and waits shorter than this are not recorded, unless somebody "
    "noticed them.",
)
@click.option(
    "--stack-depth",
    type=click.IntRange(1, 64),
    default=32,
    show_default=True,
    help="Frames kept of the stack of each wait.",
)
@click.option(
    "--profile/--no-profile",
    default=True,
    show_default=True,
    help="Write TRACE.cpu.pprof, a moment after the program has ended.",
)
@click.option(
    "--wall",
    is_flag=True,
    help="Write TRACE.wall.pprof as well: running threads as sampled, blocked ones exactly.",
)
@click.pass_context
def run(
    ctx: click.Context,
    /,
    output: str | None,
    force: bool,
    buffer_bytes: int,
    cpu_hz: int,
    io_threshold_us: int,
    stack_depth: int,
    profile: bool,
    wall: bool,
    **switches: bool,
) -> None:
    """Run a program exactly as python would, and record a trace of it.

    The program's output, exit code and signals stay its own. Python's options go in front:
    python -X dev -m tracer run script.py
    """
    target = program.resolve(ctx.meta["program"])
    trace = output if output is not None else target.stem + SUFFIX
    program.check_output(trace, target, force=force)
    signals = [signal for signal in SIGNALS if not switches[f"no_{signal}"]]
    program.execute(
        target,
        trace,
        buffer_bytes=buffer_bytes,
        signals=signals,
        force=force,
        settings={
            "cpu_hz": cpu_hz,
            "io_threshold_us": io_threshold_us,
            "stack_depth": stack_depth,
            "profile": int(profile),
            "wall": int(wall),
        },
    )


@commands.command()
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
def report(trace: Path, as_json: bool, section: str | None, top: int, by: str) -> None:
    """Say in a page who waited, how long, and behind whom."""
    # Looked up by name: the recorder's room must not depend on the viewer's.
    viewer = importlib.import_module("viewer.commands")
    viewer.report(trace, as_json=as_json, section=section, top=top, by=by, out=sys.stdout)


def page_options(command: click.Command) -> click.Command:
    """What both ways to look at a trace in a browser take."""
    for option in (
        click.option(
            "--ui-dir",
            type=click.Path(path_type=Path, file_okay=False, exists=True),
            help="A local copy of the Perfetto UI.",
        ),
        click.option("--no-browser", is_flag=True, help="Print the address instead."),
        click.option(
            "--port", type=click.IntRange(0, 65535), default=0, help="[default: a free one]"
        ),
    ):
        command = option(command)
    return command


@page_options
@commands.command()
@click.argument("trace", type=click.Path(path_type=Path))
def view(trace: Path, port: int, no_browser: bool, ui_dir: Path | None) -> None:
    """Show a trace in the browser, from a server of its own, until Ctrl-C."""
    viewer = importlib.import_module("viewer.view_commands")
    viewer.view(trace, port=port, browser=not no_browser, ui_dir=ui_dir, out=sys.stdout)


@page_options
@commands.command(name="open")
@click.argument("trace", type=click.Path(path_type=Path))
def open_(trace: Path, port: int, no_browser: bool, ui_dir: Path | None) -> None:
    """Show a trace in the Perfetto UI: a local copy, else ui.perfetto.dev."""
    viewer = importlib.import_module("viewer.view_commands")
    viewer.open_ui(trace, port=port, browser=not no_browser, ui_dir=ui_dir, out=sys.stdout)


@commands.command()
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
) -> None:
    """Explain the worst waits: in words, in numbers that add up, and what came before."""
    viewer = importlib.import_module("viewer.why_commands")
    viewer.why(
        trace,
        task=task,
        thread=thread,
        at=at,
        region=region,
        most=worst,
        as_json=as_json,
        out=sys.stdout,
    )


@commands.command()
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
) -> None:
    """Write a profile of a trace for `go tool pprof`, or print one.

    FILE is a trace, or, to be printed, any pprof file.
    """
    viewer = importlib.import_module("viewer.profile_commands")
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
        )
        return
    written = viewer.write_profile(file, type_, output, force=force, region=region)
    if written != "-":
        click.echo(f"tracer: {type_} profile -> {written}", err=True)


@commands.command()
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
def export(trace: Path, format_: str, type_: str, output: str | None, force: bool) -> None:
    """Write a trace in another tool's format."""
    viewer = importlib.import_module("viewer.profile_commands")
    written = viewer.export(trace, format_, type_, output, force=force)
    if written != "-":
        click.echo(f"tracer: {format_} -> {written}", err=True)


@commands.command()
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
def diff(a: Path, b: Path, as_json: bool, top: int) -> None:
    """Say what got slower from trace A to trace B, beyond noise.

    Exits 0 whatever it finds.
    """
    viewer = importlib.import_module("viewer.diff_commands")
    viewer.compare(a, b, as_json=as_json, top=top, out=sys.stdout)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Every refusal is one line on stderr."""
    try:
        code = commands.main(arguments, prog_name="tracer", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        return refuse(usage_text(error), EXIT_USAGE)
    except click.ClickException as error:
        return refuse(error.format_message(), error.exit_code)
    except TracerError as error:
        return refuse(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough. Nothing may be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except OSError as error:
        return refuse(str(error), 1)
    return code if isinstance(code, int) else 0


def usage_text(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx is not None else "tracer"
    message = error.format_message().rstrip()
    return f"{message}{'' if message[-1:] in '.?!' else '.'} See '{path} --help'."


def refuse(line: str, exit_code: int) -> int:
    click.echo(f"tracer: {' '.join(line.splitlines())}", err=True)
    return exit_code
