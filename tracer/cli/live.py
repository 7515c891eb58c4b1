"""`tracer ps`, `metrics`, `snapshot`: of programs that are being recorded."""

import json
import os
import time

import click

from tracer.errors import BusyTraceError, TraceFileError, TracerError
from tracer.output import is_trace
from tracer.units import duration, size

JSON_HELP = "Write JSON."
SNAPSHOT_TIMEOUT_S = 600  # it may be a copy of gigabytes


def _start(unix_ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_ns // 1_000_000_000))


@click.command()
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def ps(*, as_json: bool) -> None:
    """List the programs that are being recorded."""
    from tracer.live import client

    rows = []
    for address in client.addresses():
        try:
            rows.append(client.ask(address, "recording"))
        except client.NotLiveError:
            continue  # it has ended
        except TracerError as error:
            click.echo(f"tracer: {error}", err=True)
    if as_json:
        click.echo(json.dumps({"schema": 1, "recordings": rows}, indent=2))
        return
    if not rows:
        click.echo(
            "tracer: nothing is being recorded. Start with: tracer run PROGRAM", err=True
        )
        return
    click.echo(f"{'PID':>8}  {'SINCE':<19}  {'FOR':>8}  {'MODE':<6}  PROGRAM")
    for row in rows:
        click.echo(
            f"{row['pid']:>8}  {_start(row['start_unix_ns'])}  "
            f"{duration(row['duration_ns']):>8}  {row['mode']:<6}  {row['argv']}"
        )


@click.command()
@click.argument("target", metavar="[PID|ADDRESS]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of Prometheus text.")
def metrics(target: str | None, *, as_json: bool) -> None:
    """Print the counters of a recorded program for Prometheus.

    ADDRESS is where it listens (127.0.0.1:6060), or the path of its socket. Without either,
    the command takes the only recording there is.
    """
    from tracer.live import prometheus
    from tracer.live.source import counters_of

    counters = counters_of(target)()
    click.echo(
        json.dumps(counters, indent=2) if as_json else prometheus.text(counters), nl=as_json
    )


@click.command()
@click.argument("target", metavar="[PID|ADDRESS]", required=False)
@click.option("-o", "--output", metavar="FILE", help="Where to write.")
@click.option("--force", is_flag=True, help="Replace FILE even if it is not a trace.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def snapshot(target: str | None, *, output: str | None, force: bool, as_json: bool) -> None:
    """Write a trace of what a recorded program has done so far.

    For a flight recording, that is the last seconds. Without -o, the file goes to where the
    program keeps its snapshots, or beside its trace. ADDRESS is the path of the program's
    socket. Without either, the command takes the only recording there is.
    """
    from tracer.live import client
    from tracer.program import check_parent

    if output is not None:
        check_parent(output)  # before a snapshot is made for nothing
        refuse_recordings(output)
        if not force:
            refuse_other_files(output)
    address = client.only_address() if target is None else client.address_of(target)
    written = client.ask(address, "snapshot", timeout_s=SNAPSHOT_TIMEOUT_S)
    if not written["bytes"]:
        os.unlink(written["file"])
        raise TraceFileError(
            "there is nothing to copy: somebody deleted or replaced the file of the recording."
        )
    if output is not None:
        move(written["file"], output)
        written["file"] = os.path.abspath(output)
    if as_json:
        click.echo(json.dumps(written, indent=2))
        return
    shown = written["file"]
    click.echo(f"tracer: {size(written['bytes'])} -> {shown}. Next: tracer report {shown}")


def is_being_recorded(path: str) -> bool:
    """Whether a recording has locked the file, which may not exist."""
    from tracer._core import lock_file  # other commands do without the core

    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not lock_file(fd)
    finally:
        os.close(fd)


def refuse_recordings(path: str) -> None:
    """A recording whose file is replaced loses all that it writes from then on."""
    if os.path.isfile(path) and is_being_recorded(path):
        raise BusyTraceError(
            f"cannot write {path!r}: a program is being recorded into it. Choose another -o."
        )


def refuse_other_files(path: str) -> None:
    """As `tracer run -o` does."""
    if os.path.exists(path) and not (os.path.isfile(path) and is_trace(path)):
        raise TraceFileError(
            f"{path!r} exists and is not a trace. Choose another -o, or replace it: --force."
        )


def move(source: str, target: str) -> None:
    """The program has chosen its own name, so that nobody can make it write elsewhere."""
    import shutil  # takes longer to import than this file

    try:
        shutil.move(source, target)
    except OSError as error:
        raise TraceFileError(
            f"cannot write {target!r}: {error.strerror}. The snapshot is {source!r}."
        ) from None


COMMANDS = (ps, metrics, snapshot)
