"""`tracer run`: what to record, how much of it, and where to write it."""

import re

import click

from tracer import program
from tracer.cli.options import need
from tracer.errors import UsageError
from tracer.flight_recorder import rings, triggers
from tracer.processes.family import MOST_BYTES, MOST_FILES

SUFFIX = ".pftrace"
LISTEN = "--listen"  # its value may be left out; what follows it may be the program
ADDRESS = re.compile(r"(?:\S*:)?\d{1,5}")
ANYWHERE = "default"
FLIGHT_SUFFIX = ".flight"
DEFAULT_BUFFER = "64M"
DEFAULT_HEAP_RATE = "512K"
LARGEST_RATE = 1 << 30
SMALLEST_BUFFER = 1 << 20
LARGEST_BUFFER = 1 << 40

# Signal -> what is missing when `--no-<signal>` turns it off.
SIGNALS = {
    "tasks": "asyncio tasks and callbacks",
    "threads": "thread starts and ends, and failures",
    "gc": "garbage collections",
    "gil": "thread states: who holds the GIL, who waits for it",
    "locks": "lock waits and lock holders",
    "io": "blocking calls by name",
    "sched": "context switches made by the kernel",
    "cpu": "CPU samples",
}
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def _bytes(text: str, example: str) -> int:
    match = re.fullmatch(r"(\d+)([KMG]?)(?:i?B)?", text, re.IGNORECASE)
    if match is None:
        raise click.BadParameter(f"{text!r} is not a size such as {example}")
    return int(match[1]) * UNITS[match[2].upper()]


def parse_rate(_ctx: click.Context, _parameter: click.Parameter, text: str) -> int:
    """`512K` -> bytes."""
    rate_bytes = _bytes(text, DEFAULT_HEAP_RATE)
    if not 1 <= rate_bytes <= LARGEST_RATE:
        raise click.BadParameter(f"{text!r} is not between 1 and 1G")
    return rate_bytes


def parse_size(_ctx: click.Context, _parameter: click.Parameter, text: str) -> int:
    """`64M` -> bytes."""
    size_bytes = _bytes(text, DEFAULT_BUFFER)
    if not SMALLEST_BUFFER <= size_bytes <= LARGEST_BUFFER:
        raise click.BadParameter(f"{text!r} is not between 1M and 1024G")
    return size_bytes


def parse_limit(ctx: click.Context, parameter: click.Parameter, text: str | None) -> int:
    """`4G` -> bytes; without a limit, more than any disk has."""
    return MOST_BYTES if text is None else parse_size(ctx, parameter, text)


def _seconds(text: str, least: float, said: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not a time such as 30s or 5m")
    seconds = float(match[1]) * SECONDS[match[2] or "s"]
    if not least <= seconds <= rings.MOST_SECONDS:
        raise click.BadParameter(f"{text!r} is not between {said} and 24h")
    return seconds


def parse_flight(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> float:
    """`30s` -> seconds; 0 without."""
    return 0 if text is None else _seconds(text, rings.LEAST_SECONDS, "1s")


def parse_cooldown(
    _ctx: click.Context, _parameter: click.Parameter, text: str | None
) -> float | None:
    """`10s` -> seconds, which may be 0."""
    return None if text is None else _seconds(text, 0, "0s")


def parse_conditions(
    _ctx: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...]:
    try:
        triggers.parse(texts)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return texts


class RunCommand(click.Command):
    """Options end where the program begins; all arguments from there on are the program's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        takes_value = {
            option
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option) and not parameter.is_flag
            for option in (*parameter.opts, *parameter.secondary_opts)
        } - {LISTEN}
        start = 0
        while start < len(args) and not program.begins_at(args[start]):
            is_listen = args[start] == LISTEN and ADDRESS.fullmatch(
                "".join(args[start + 1 :][:1])
            )
            start += 2 if is_listen or args[start] in takes_value else 1
        ctx.meta["program"] = args[start:]
        return super().parse_args(ctx, args[:start])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS] script.py | -m module | -c code | console-script [ARGS]..."]


def signal_switches(command: click.Command) -> click.Command:
    """Add `--no-<signal>` for every signal of the table."""
    for signal, missing in SIGNALS.items():
        help_text = f"Do not record {missing}."
        command.params.append(click.Option([f"--no-{signal}"], is_flag=True, help=help_text))
    return command


@signal_switches
@click.command(cls=RunCommand)
@click.option(
    "-o", "--output", metavar="FILE", help=f"Where to write. [default: PROGRAM{SUFFIX}]"
)
@click.option("--force", is_flag=True, help="Replace FILE even if it is not a trace.")
@click.option(
    "--buffer",
    "buffer_bytes",
    callback=parse_size,
    default=DEFAULT_BUFFER,
    show_default=True,
    metavar="SIZE",
    help="Memory for events not written yet. When it is full, events are dropped and counted.",
)
@click.option(
    "--cpu-hz",
    type=click.IntRange(1, 5000),
    default=100,
    show_default=True,
    help="CPU samples per second of each thread's CPU time. Above the kernel's tick rate "
    "(usually 250 Hz), samples are weighted instead.",
)
@click.option(
    "--heap",
    is_flag=True,
    help="Also record allocations: a sample every --heap-rate bytes, until it is freed.",
)
@click.option(
    "--heap-rate",
    "heap_rate",
    callback=parse_rate,
    default=DEFAULT_HEAP_RATE,
    show_default=True,
    metavar="SIZE",
    help="The average number of bytes between two sampled allocations.",
)
@click.option(
    "--retained",
    metavar="SITE",
    help="At the end, print which variables keep the objects that a line allocated. SITE is a "
    "function, file.py:12, or a row of `report --section memory`. Needs --heap.",
)
@click.option(
    "--io-threshold",
    "io_threshold_us",
    type=click.IntRange(0, 1_000_000),
    default=20,
    show_default=True,
    metavar="MICROSECONDS",
    help="Blocking calls and waits shorter than this are not recorded unless another thread "
    "or task had to wait because of them.",
)
@click.option(
    "--stack-depth",
    type=click.IntRange(1, 64),
    default=32,
    show_default=True,
    help="Stack frames to keep for each wait.",
)
@click.option(
    "--profile/--no-profile",
    default=True,
    show_default=True,
    help="Write TRACE.cpu.pprof shortly after the program has ended.",
)
@click.option(
    "--wall",
    is_flag=True,
    help="Also write TRACE.wall.pprof: running time sampled, blocked time exact.",
)
@click.option(
    LISTEN,
    is_flag=False,
    flag_value=ANYWHERE,
    metavar="[ADDRESS]",
    help="Answer HTTP requests like Go's /debug/pprof/, by default on 127.0.0.1:6060. An "
    "address that other machines can reach needs a token: TRACER_TOKEN in the environment.",
)
@click.option(
    "--follow/--no-follow",
    default=True,
    show_default=True,
    help="Also record child processes that run Python.",
)
@click.option(
    "--max-files",
    "most_files",
    type=click.IntRange(1),
    default=MOST_FILES,
    show_default=True,
    help="The most processes to record. Further ones run unrecorded, and are counted.",
)
@click.option(
    "--max-bytes",
    "most_bytes",
    callback=parse_limit,
    metavar="SIZE",
    help="The most disk space for the traces of all processes together. [default: no limit]",
)
@click.option(
    "--control/--no-control",
    default=True,
    show_default=True,
    help="Answer `tracer ps`, `top`, `metrics`, `snapshot` and `dump` while the program runs.",
)
@click.option(
    "--flight",
    "flight_seconds",
    callback=parse_flight,
    metavar="TIME",
    help="Flight recording: keep only the last TIME (30s, 5m), in the folder of --snapshots.",
)
@click.option(
    "--flight-size",
    "flight_bytes",
    callback=parse_size,
    default=DEFAULT_BUFFER,
    show_default=True,
    metavar="SIZE",
    help="The most disk space for the flight recording of one process.",
)
@click.option(
    "--on",
    "conditions",
    multiple=True,
    callback=parse_conditions,
    metavar="CONDITION",
    help="Flight recording: take a snapshot when this happens, such as 'loop>100ms'. "
    "Can be given several times.",
)
@click.option(
    "--cooldown",
    "cooldown_seconds",
    callback=parse_cooldown,
    metavar="TIME",
    help="Flight recording: the shortest time between two snapshots of --on. "
    f"[default: {rings.COOLDOWN_SECONDS:.0f}s]",
)
@click.option(
    "--snapshots",
    metavar="DIR",
    help="The folder of the flight recording and its snapshots. "
    f"[default: PROGRAM{FLIGHT_SUFFIX}]",
)
@click.option(
    "--argv/--no-argv",
    default=True,
    show_default=True,
    help="Record the program's arguments; values that look secret are masked.",
)
@click.pass_context
def run(
    ctx: click.Context,
    /,
    output: str | None,
    force: bool,
    buffer_bytes: int,
    cpu_hz: int,
    heap: bool,
    heap_rate: int,
    retained: str | None,
    io_threshold_us: int,
    stack_depth: int,
    profile: bool,
    wall: bool,
    listen: str | None,
    follow: bool,
    most_files: int,
    most_bytes: int,
    control: bool,
    flight_seconds: float,
    flight_bytes: int,
    snapshots: str | None,
    conditions: tuple[str, ...],
    cooldown_seconds: float | None,
    argv: bool,
    **switches: bool,
) -> None:
    """Run a program as python would, and record a trace of it.

    Its output, exit code and signals stay as they are. Options for Python itself come first:
    python -X dev -m tracer run script.py
    """
    if listen not in (None, ANYWHERE) and not ADDRESS.fullmatch(listen):
        raise click.BadParameter(f"{listen!r} is not an address such as 127.0.0.1:6060", ctx)
    target = program.resolve(ctx.meta["program"])
    if flight_seconds:
        trace = _flight_folder(target, output, snapshots)
    elif unused := [
        option
        for option, is_given in (
            ("--snapshots", snapshots is not None),
            ("--on", conditions),
            ("--cooldown", cooldown_seconds is not None),
        )
        if is_given
    ]:
        raise UsageError(f"{unused[0]} is for a flight recording: add --flight 30s")
    else:
        trace = output if output is not None else target.stem + SUFFIX
        program.check_output(trace, target, force=force)
    signals = [signal for signal in SIGNALS if not switches[f"no_{signal}"]]
    need(ctx, "retained", "heap")
    if heap:
        signals.append("heap")
    program.execute(
        target,
        trace,
        buffer_bytes=buffer_bytes,
        signals=signals,
        force=force,
        settings={
            "cpu_hz": cpu_hz,
            "heap_rate": heap_rate,
            "io_threshold_us": io_threshold_us,
            "stack_depth": stack_depth,
            "profile": int(profile),
            "wall": int(wall),
            "rename": int(output is None),
            "argv": int(argv),
            **({"retained": retained.encode().hex()} if retained else {}),
            **({"listen": listen} if listen is not None else {}),
            "control": int(control),
            "flight_ms": int(flight_seconds * 1000),
            "flight_bytes": flight_bytes,
            **(
                {"cooldown_ms": int(cooldown_seconds * 1000)}
                if cooldown_seconds is not None
                else {}
            ),
            **({"on": "\n".join(conditions).encode().hex()} if conditions else {}),
            "follow": int(follow),
            "most_files": most_files,
            "most_bytes": most_bytes,
        },
    )


def _flight_folder(target: program.Target, output: str | None, snapshots: str | None) -> str:
    if output is not None:
        raise UsageError(
            f"--flight keeps the last seconds only, so there is no {output}: "
            "give the folder for its snapshots with --snapshots DIR instead of -o"
        )
    folder = snapshots if snapshots is not None else target.stem + FLIGHT_SUFFIX
    program.check_folder(folder)
    return folder


COMMANDS = (run,)
