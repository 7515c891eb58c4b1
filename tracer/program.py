"""Finds and checks the program for `tracer run`, and hands it to the launcher."""

import os
import re
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tracer import output
from tracer.errors import LaunchError, MissingProgramError, TraceFileError, UsageError

LAUNCHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launch.py")

# Option -> kind of program, by its name in launch.py.
TRACE_SUFFIX = ".pftrace"
SHEBANG_BYTES = 4096  # a longer first line is no shebang
KIND_BY_OPTION = {"-m": "module", "-c": "command"}


class Target(NamedTuple):
    """The program to run, in the form that launch.py takes."""

    kind: str  # file, module or command
    program: str  # path, module name or code
    arguments: tuple[str, ...]
    stem: str  # names the trace
    flags: tuple[str, ...] = ()  # python options of a console script's first line


def begins_at(word: str) -> bool:
    """Whether the program starts here: a name, `-`, `--`, -m or -c (also `-mname`)."""
    return not word.startswith("-") or word in ("-", "--") or word[:2] in KIND_BY_OPTION


def resolve(words: Sequence[str]) -> Target:
    """The program in the command line, from the word on for which begins_at() is true.

    Raises UsageError when there is none, LaunchError when it cannot be run.
    """
    if list(words[:1]) == ["--"]:
        words = words[1:]
    elif words and words[0] != "-" and words[0].startswith("-"):
        return _by_option(words[0][:2], words[0][2:], words[1:])
    if not words or not words[0]:
        raise UsageError("no program to run. See 'tracer run --help'.")
    name, *arguments = words
    if name == "-":
        raise UsageError("cannot run '-': save the program to a file, or give /dev/stdin.")
    if name.endswith(TRACE_SUFFIX) and os.path.exists(name):
        raise UsageError(f"cannot run '{name}': it is a trace. See 'tracer report {name}'.")
    path, flags = (name, ()) if os.path.exists(name) else _console_script(name)
    if not os.access(path, os.R_OK):
        raise MissingProgramError(
            f"can't open file {os.path.abspath(path)!r}: [Errno 13] Permission denied."
        )
    stem = Path(os.path.abspath(path)).stem or "program"
    return Target("file", path, tuple(arguments), stem, flags)


def _by_option(option: str, attached: str, rest: Sequence[str]) -> Target:
    if not attached and not rest:
        raise UsageError(f"argument expected after {option}. See 'tracer run --help'.")
    value, arguments = (attached, rest) if attached else (rest[0], rest[1:])
    kind = KIND_BY_OPTION[option]
    stem = value.rpartition(".")[2] if kind == "module" else kind
    return Target(kind, value, tuple(arguments), stem.replace("/", "_") or "program")


def _console_script(name: str) -> tuple[str, tuple[str, ...]]:
    """A program of this environment or on PATH: its path and its python options."""
    own = os.path.dirname(sys.executable)
    where = None if "/" in name else os.pathsep.join([own, os.environ.get("PATH", os.defpath)])
    path = shutil.which(name, path=where) if where else None
    if path is None:
        also = "" if "/" in name else ", and no program of that name is on PATH"
        raise MissingProgramError(
            f"can't open file {os.path.abspath(name)!r}: "
            f"[Errno 2] No such file or directory{also}."
        )
    interpreter, flags = _interpreter_of(path)
    if interpreter is None and not path.endswith(".py"):
        raise LaunchError(
            f"cannot run {path}: it is not a Python script. Give the path of the script."
        )
    if interpreter is not None and not _is_ours(interpreter):
        raise LaunchError(
            f"{path} belongs to {interpreter}, tracer to {sys.executable}. "
            f"Install tracer there, or run it with this interpreter: tracer run {path}"
        )
    return path, flags


def _interpreter_of(path: str) -> tuple[str | None, tuple[str, ...]]:
    """The python in a script's first line, and its options; None if it is not a python."""
    with open(path, "rb") as stream:
        lines = os.fsdecode(stream.read(SHEBANG_BYTES)).splitlines()
    words = lines[0][2:].split() if lines and lines[0].startswith("#!") else []
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if word != "-S"]
    # Installers write this where a path is too long for a first line, or has a space.
    relay = re.match(r"'''exec' \"?(.+?)\"? \"\$0\"", lines[1]) if len(lines) > 1 else None
    if words and relay:
        words = [relay[1]]
    if not words or not re.fullmatch(r"python[\d.]*t?", os.path.basename(words[0])):
        return None, ()
    return words[0], tuple(word for word in words[1:] if word.startswith("-"))


def _is_ours(interpreter: str) -> bool:
    """Whether that is this environment (virtual ones share the binary itself)."""
    if "/" not in interpreter:
        return True
    here, there = os.path.dirname(sys.executable), os.path.dirname(interpreter)
    return os.path.realpath(here) == os.path.realpath(there)


def check_parent(trace: str) -> str:
    """The folder it is in. Raises TraceFileError when there is none."""
    parent = os.path.dirname(trace) or "."
    if not os.path.isdir(parent):
        raise TraceFileError(
            f"cannot write {trace!r}: no directory {parent!r}. Create it or choose another -o."
        )
    return parent


def check_output(trace: str, target: Target, *, force: bool) -> None:
    """Raises TraceFileError when the trace cannot or may not be written."""
    if not trace:
        raise UsageError("the trace needs a name: -o FILE")
    parent = check_parent(trace)
    try:
        mode = os.stat(trace).st_mode
    except OSError:
        if not os.access(parent, os.W_OK | os.X_OK):
            raise TraceFileError(
                f"cannot write {trace!r}: directory {parent!r} is not writable. "
                "Choose another -o."
            ) from None
        return
    if stat.S_ISDIR(mode):
        raise TraceFileError(
            f"cannot write {trace!r}: it is a directory. Give a file with -o."
        )
    if target.kind == "file" and os.path.samefile(trace, target.program):
        raise TraceFileError(f"cannot write {trace!r}: it is the program. Choose another -o.")
    if not os.access(trace, os.W_OK):
        raise TraceFileError(f"cannot write {trace!r}: no permission. Choose another -o.")
    if stat.S_ISREG(mode) and not force and not output.is_trace(trace):
        raise TraceFileError(
            f"{trace!r} exists and is not a trace. Choose another -o, or replace it: --force."
        )


def check_folder(folder: str) -> None:
    """Raises TraceFileError when it cannot be a folder to write into."""
    parent = folder if os.path.isdir(folder) else os.path.dirname(folder) or "."
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise TraceFileError(f"cannot write into {folder!r}: it is a file. Give a folder.")
    if not os.path.isdir(parent):
        raise TraceFileError(
            f"cannot write into {folder!r}: no directory {parent!r}. "
            "Create it or choose another --snapshots."
        )
    if not os.access(parent, os.W_OK | os.X_OK):
        raise TraceFileError(
            f"cannot write into {folder!r}: directory {parent!r} is not writable. "
            "Choose another --snapshots."
        )


def execute(
    target: Target,
    trace: str,
    *,
    buffer_bytes: int,
    signals: Sequence[str],
    force: bool,
    settings: dict[str, int | str],
) -> None:
    """Replaces this process with a fresh interpreter that runs the launcher."""
    numbers = ",".join(f"{name}={value}" for name, value in settings.items())
    existing = "force" if force else "keep"
    order = f"{target.kind} {buffer_bytes} {','.join(signals)} {existing} {numbers} {trace}"
    flags = [*interpreter_flags(sys.orig_argv), *target.flags]
    command = [sys.executable, *flags, LAUNCHER, order, target.program, *target.arguments]
    try:
        os.execve(sys.executable, command, environment())
    except OSError as error:
        raise LaunchError(f"cannot start {sys.executable}: {error.strerror}.") from None


def interpreter_flags(command_line: Sequence[str]) -> list[str]:
    """python's own options as they were typed: all before the script, -m or -c.

    Without -i and -x: both are about the script that python itself was given.
    """
    flags: list[str] = []
    words = iter(command_line[1:])
    for word in words:
        if word.startswith("--"):
            flags += [word, next(words)]  # --check-hash-based-pycs MODE
            continue
        if not word.startswith("-"):
            break
        letter = re.search("[mcWX]", word)
        if letter and letter[0] in "mc":
            flags += [word[: letter.start()]] if letter.start() > 1 else []
            break
        if word in ("-i", "-x"):
            continue
        flags.append(word)
        if letter and letter.end() == len(word):
            flags.append(next(words))
    return flags


def environment() -> dict[str, str]:
    """The environment of this process as it was: in the C locale python sets LC_CTYPE (PEP
    538), which would hide that locale from the next python."""
    variables = dict(os.environ)
    try:
        given = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return variables
    if not any(entry.startswith(b"LC_CTYPE=") for entry in given):
        variables.pop("LC_CTYPE", None)
    return variables
