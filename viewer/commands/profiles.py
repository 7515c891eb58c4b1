"""`tracer pprof` and `tracer export`: read a file, write or print another form of it."""

import os
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from tracer.errors import TraceFileError, UsageError
from viewer.analysis.profiles.profile import Profile, showing
from viewer.analysis.profiles.waits import PROFILES
from viewer.analysis.profiles.within import Everywhere, within
from viewer.analysis.report import heading
from viewer.commands.moment import moment_in
from viewer.render.formats.chrome import write_chrome
from viewer.render.formats.csv import write_csv
from viewer.render.formats.pprof import read_pprof, render_pprof
from viewer.render.formats.speedscope import render_speedscope
from viewer.render.text.profiles import difference, render_peek, render_source, render_top
from viewer.trace.files import Given, beside
from viewer.trace.locks import await_unlocked, is_locked
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace
from viewer.trace.sites import Names

_HEAD_BYTES = 4096
_GZIP_MAGIC = b"\x1f\x8b"
STDOUT = "-"
_SUFFIXES = {
    "chrome": ".json",
    "speedscope": ".speedscope.json",
    "csv": ".csv",
    "html": ".html",
}


def profile_of(
    given: Given,
    type_: str,
    region: str | None = None,
    names: str = Names.USER,
    at: str | None = None,
) -> Profile:
    """A profile of a trace, possibly only within a region or of a moment, or the one in a
    pprof file.

    Raises TraceFileError, or NotInTraceError when there is no such region.
    """
    if not isinstance(given, Path) or given.is_dir():
        return derive(build_model(read_trace(given), names), type_, region, at)
    path = given
    if not path.exists():
        _await(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TraceFileError(f"cannot read '{path}': {error.strerror}.") from None
    if _is_trace(data):
        return derive(build_model(read_trace(path), names), type_, region, at)
    for option, value in (("--region", region), ("--at", at)):
        if value is not None:
            raise UsageError(
                f"'{path}' is a profile: {option} needs the trace it was made from."
            )
    return read_pprof(data, str(path))


def derive(
    model: Model, type_: str, region: str | None = None, at: str | None = None
) -> Profile:
    """A profile of a trace, or of a region or moment in it, with its date and origin."""
    at_ns = moment_in(model, at) if at is not None else None
    where = Everywhere(at_ns) if region is None else within(model, region, at_ns)
    comments = [f"within the regions {region!r}"] if region is not None else []
    comments += [f"at {at}"] if at is not None else []
    return made(model, type_, where, comments)


def made(model: Model, type_: str, where: Everywhere, comments: Iterable[str] = ()) -> Profile:
    """A profile of a part of a trace, with its date and origin."""
    profile, of = PROFILES[type_](model, where), heading(model)
    comments = (
        f"tracer: {' '.join(of.argv)}",
        f"CPython {of.python}, pid {of.pid}, {type_} of {Path(of.file).name}",
        *comments,
        *profile.comments,
    )
    return profile._replace(
        start_unix_ns=of.start_unix_ns,
        duration_ns=of.duration_ns,
        comments=comments,
    )


def write_profile(
    trace: Given,
    type_: str,
    output: str | None,
    *,
    force: bool,
    region: str | None = None,
    names: str = Names.USER,
    at: str | None = None,
) -> str:
    """Writes a profile of the trace, by default beside it; returns the file's name."""
    words = [word for word in (region, at) if word is not None]
    part = "".join("." + re.sub(r"[^\w-]+", "_", word) for word in words)
    target = output or beside(trace, f".{type_}{part}.pprof")
    profile = profile_of(trace, type_, region, names, at)
    _tell_if_empty(profile, type_)
    _write(target, render_pprof(profile), force=force)
    return target


def _tell_if_empty(profile: Profile, type_: str) -> None:
    if profile.samples:
        return
    reasons = [comment for comment in profile.comments if "not recorded" in comment]
    why = reasons[0] if reasons else "`tracer report --section health` says what was recorded"
    print(f"tracer: the {type_} profile is empty; {why}.", file=sys.stderr, flush=True)


def derive_quietly(trace: str, *words: str) -> None:
    """Writes profiles of a new trace, in a process that nobody listens to.

    `words` are four for each: its type, the descriptor of the file to write, that file's name,
    and the name it gets when it is whole.
    """
    jobs = [words[i : i + 4] for i in range(0, len(words), 4)]
    kept = {int(fd) for _, fd, _, _ in jobs}
    for fd in set(map(int, os.listdir("/proc/self/fd"))) - kept:
        if fd > 2:
            with suppress(OSError):
                os.close(fd)  # the program left it inheritable
    os.nice(10)
    model = None
    for type_, number, partial, target in jobs:
        # The lock on the file goes with the descriptor, and whoever waits for it goes on.
        with (
            suppress(TraceFileError, OSError, MemoryError),
            os.fdopen(int(number), "wb") as file,
        ):
            try:
                model = model or build_model(read_trace(Path(trace)))
                file.write(render_pprof(derive(model, type_)))
                file.flush()
                os.replace(partial, target)
            except BaseException:
                os.unlink(partial)
                raise


def show_profile(
    path: Given,
    type_: str,
    *,
    region: str | None = None,
    rows: int,
    peek: str | None,
    source: str | None,
    base: Given | None,
    out: TextIO,
    names: str = Names.USER,
    at: str | None = None,
    sample_index: str | None = None,
) -> None:
    """Writes a profile as text: the top functions, or what `peek` or `source` select."""
    profile = profile_of(path, type_, region, names, at)
    if base is not None:
        profile = difference(profile, profile_of(base, type_, region, names, at))
    if sample_index is not None:
        profile = showing(profile, sample_index)
    if peek is not None:
        out.write(render_peek(profile, peek))
    elif source is not None:
        out.write(render_source(profile, source))
    else:
        out.write(render_top(profile, rows))


def export(
    trace: Given,
    format_: str,
    type_: str,
    output: str | None,
    *,
    force: bool,
    names: str = Names.USER,
) -> str:
    """Writes the trace in another format; returns the file's name."""
    if format_ == "parquet":
        raise UsageError(
            "parquet needs a library (pyarrow) that tracer does not install. "
            "Export csv, or query the trace with Perfetto's trace_processor."
        )
    target = output or beside(trace, _SUFFIXES[format_])
    model = build_model(read_trace(trace), names)
    _write(target, _EXPORTS[format_](model, type_), force=force)
    return target


def _speedscope(model: Model, type_: str) -> bytes:
    return render_speedscope(derive(model, type_), model.trace.name)


def _html(model: Model, _type: str) -> bytes:
    # The profile after a run must not load a web server.
    from viewer.server.share import render_html

    return render_html(model)


_EXPORTS: dict[str, Callable[[Model, str], bytes]] = {
    "speedscope": _speedscope,
    "chrome": lambda model, _type: write_chrome(model),
    "csv": lambda model, _type: write_csv(model),
    "html": _html,
}


def _is_trace(data: bytes) -> bool:
    """A pprof file may begin with the same byte, but has no `recording` instant."""
    if data.startswith(_GZIP_MAGIC):
        import zlib

        try:
            data = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(data, _HEAD_BYTES)
        except zlib.error:
            return False
    head = data[:_HEAD_BYTES]
    return b"recording" in head and b"schema" in head


def _await(path: Path) -> None:
    """Until nobody writes this file any more, as `tracer run` does after the program's end."""
    for partial in path.parent.glob(f".{path.name}.*"):
        with suppress(OSError), partial.open("rb") as file:
            if is_locked(file.fileno()):
                print(f"tracer: {path} is being written …", file=sys.stderr, flush=True)
                await_unlocked(file.fileno())


def _write(target: str, data: bytes, *, force: bool) -> None:
    """Writes to a file or to stdout. Replaces only what looks like a former answer."""
    if target == STDOUT:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    path = Path(target)
    try:
        if not force and path.is_file():
            with path.open("rb") as stream:
                head = stream.read(2)
            if head and head != data[:2]:
                raise TraceFileError(
                    f"{target!r} exists and is a file of another kind. Choose another -o, "
                    "or replace it: --force."
                )
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a device or pipe: it is written to, never replaced
            return
        # All or nothing: a reader never sees half of it.
        path = path.resolve()
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        parent = path.parent
        reason = error.strerror if parent.is_dir() else f"no directory '{parent}'"
        raise TraceFileError(
            f"cannot write {target!r}: {reason}. Choose another -o."
        ) from None
