"""Which files a trace consists of, and their bytes.

A user names files or folders. A folder stands for its traces, and each FILE brings along
FILE.d, where its child processes write. A folder of flight recordings stands for their rings;
the snapshots in it are traces of their own.
"""

import mmap
import os
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tracer.errors import TraceFileError
from viewer.trace.columns import Column
from viewer.trace.engine import Engine
from viewer.trace.locks import is_locked
from viewer.trace.rings import is_ring, is_snapshot, read_ring, rings_in
from viewer.trace.wire import Data

type Given = Path | tuple[Path, ...]  # what a user named: a file or folder, or several

HEAD_BYTES = 1 << 16
_ONE_CLOCK_NS = 60_000_000_000  # how far the clocks of one machine may have been set meanwhile
# From this size on a file that nobody writes is mapped: no copy of it is made. Only a program
# that empties the file at this very moment could harm the reader, and a recorder locks it.
MAPPED_BYTES = 1 << 20
RECORD_ONE = "Record one with 'tracer run prog.py'."
_GZIP_MAGIC = b"\x1f\x8b"
_TRACE = ".pftrace"
_CHILDREN = ".d"
PROFILE = ".pprof"


class Contents(NamedTuple):
    """The packets of some files, one after the other.

    `heads` are the beginnings of files that are being written, `unread` says which files of a
    folder could not be read, and why.
    """

    data: Data
    size_bytes: int
    lost_bytes: int
    heads: tuple[bytes, ...] = ()
    has_rings: bool = False  # of flight recordings
    unread: tuple[str, ...] = ()


def paths_of(given: Given) -> tuple[Path, ...]:
    return (given,) if isinstance(given, Path) else given


def beside(given: Given, suffix: str) -> str:
    """The name of an answer beside the first of the files."""
    path = paths_of(given)[0]
    return str((path if path.name else path.resolve()).with_suffix(suffix))


def files_of(given: Given) -> dict[Path, bool]:
    """The files, and whether the user named them; each once, and in order."""
    found: dict[Path, bool] = {}
    for path in paths_of(given):
        if is_ring(path):
            found[path] = True
        elif path.is_dir():
            inside = list(rings_in(path)) or list(_inside(path))
            _refuse_snapshots(path, inside)
            if not inside:
                raise TraceFileError(
                    f"cannot read '{path}': a folder without traces (*{_TRACE}). {RECORD_ONE}"
                )
            found |= dict.fromkeys(inside, False)
        else:
            found[path] = True
            found |= dict.fromkeys(_inside(_children(path)), False)
    return found


def _refuse_snapshots(folder: Path, inside: list[Path]) -> None:
    """Several snapshots tell of the same process more than once."""
    taken = [path for path in inside if is_snapshot(path)]
    if len(taken) > 1:
        raise TraceFileError(
            f"cannot read '{folder}': it has {len(taken)} snapshots, and each is a trace of "
            f"its own. Read one of them; the newest is '{taken[-1]}'."
        )


def _inside(folder: Path) -> Iterator[Path]:
    try:
        names = set(os.listdir(folder))
    except OSError:  # there is none, or it may not be read
        return
    for name in sorted(name for name in names if name.endswith(_TRACE)):
        path = folder / name
        if path.is_file():
            yield path
            if name + _CHILDREN in names:  # mostly not: thousands of processes have none
                yield from _inside(_children(path))


def _children(path: Path) -> Path:
    return path.with_name(path.name + _CHILDREN)


def load(given: Given, engine: Engine, without: frozenset[Path] = frozenset()) -> Contents:
    """The bytes of the files, unpacked. Raises TraceFileError.

    Of several files each is cut after its last whole packet, so that what follows is found.
    """
    files = {path: named for path, named in files_of(given).items() if path not in without}
    parts, heads, unread = [], [], []
    size = lost = 0
    for path, is_named in files.items():
        try:
            packed, live = _read(path)
        except TraceFileError as error:
            if is_named:
                raise
            unread.append(str(error))
            continue
        data, damaged = _unpacked(packed)
        whole = len(data) if len(files) == 1 else engine.framed(data)
        if len(files) > 1 and not whole:
            if is_named:
                raise TraceFileError(refusal(path, data))
            if data:  # an empty one: that process has not written yet, or was killed before
                unread.append(refusal(path, data))
            continue
        if live:
            heads.append(data[:HEAD_BYTES])
        parts.append(data if whole == len(data) else data[:whole])
        size += len(data)
        lost += damaged + len(data) - whole
    if not parts:
        raise TraceFileError(unread[0] if unread else refusal(next(iter(files)), b""))
    return Contents(
        parts[0] if len(parts) == 1 else b"".join(parts),
        size,
        lost,
        tuple(heads),
        any(map(is_ring, files)),
        tuple(unread),
    )


def size_bytes_of(given: Given) -> int:
    """The size of the files as they are now; 0 where they cannot be read: `load` says why."""
    try:
        return sum(path.stat().st_size for path in files_of(given))
    except (OSError, TraceFileError):
        return 0


def packets(given: Given, engine: Engine) -> bytes:
    """One file for other readers: the only one as it is, or all. Raises TraceFileError."""
    paths = list(files_of(given))
    if len(paths) == 1 and not is_ring(paths[0]):
        return paths[0].read_bytes()
    return bytes(load(given, engine).data)


def head(path: Path) -> bytes:
    """The first packets of a file that could be read before."""
    return bytes(_unpacked(_read(path)[0][:HEAD_BYTES])[0])


def refusal(path: Path, data: Data) -> str:
    """Why a file without a single packet cannot be read."""
    if path.suffix == PROFILE:
        return (
            f"cannot read '{path}': a profile, not a trace. "
            f"Print it with 'tracer pprof {path} --top'."
        )
    if not data:
        return f"cannot read '{path}': the file is empty. {RECORD_ONE}"
    return f"cannot read '{path}': not a trace (begins {data[:4].hex(' ')}). {RECORD_ONE}"


def _read(path: Path) -> tuple[Data, bool]:
    """The file's bytes, and whether it is being written."""
    try:
        if is_ring(path):
            return read_ring(path)
        with path.open("rb") as file:
            live = is_locked(file.fileno())  # asked first: then the end may be missing
            if not live and os.fstat(file.fileno()).st_size >= MAPPED_BYTES:
                return _mapped(file.fileno()) or file.read(), live
            return file.read(), live
    except FileNotFoundError:
        reason = "no such file"
        if (children := _children(path)).is_dir():
            reason += f"; its child processes wrote '{children}'"
    except IsADirectoryError:
        reason = "it is a directory"
    except PermissionError:
        reason = "permission denied"
    except OSError as error:
        reason = error.strerror or str(error)
    raise TraceFileError(f"cannot read '{path}': {reason}.")


def _mapped(file: int) -> mmap.mmap | None:
    """The file in memory, all pages at once; None where the file system cannot."""
    try:
        flags = mmap.MAP_PRIVATE | getattr(mmap, "MAP_POPULATE", 0)
        return mmap.mmap(file, 0, flags=flags, prot=mmap.PROT_READ)
    except (OSError, ValueError):
        return None


def _unpacked(data: Data) -> tuple[Data, int]:
    is_packed = data[: len(_GZIP_MAGIC)] == _GZIP_MAGIC
    return _unpack(bytes(data)) if is_packed else (data, 0)


def _unpack(data: bytes) -> tuple[bytes, int]:
    """All complete gzip members, and the readable beginning of a cut or damaged one."""
    parts = []
    while data.startswith(_GZIP_MAGIC):
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            # In steps: after an error, the results of earlier steps are kept.
            for at in range(0, len(data), 1 << 16):
                parts.append(member.decompress(data[at : at + (1 << 16)]))
                if member.eof:
                    data = member.unused_data + data[at + (1 << 16) :]
                    break
            else:
                return b"".join(parts), 0
        except zlib.error:
            return b"".join(parts), len(data) - at
    return b"".join(parts), len(data)


def check_clocks(real_ns: Column, boot_ns: Column, paths: tuple[Path, ...]) -> None:
    """Times of two machines, or from before and after a reboot, have nothing in common."""
    clocks = zip(real_ns, boot_ns, strict=True)
    boots = sorted({real - boot for real, boot in clocks if real and boot})
    if any(after - before > _ONE_CLOCK_NS for before, after in pairwise(boots)):
        raise TraceFileError(
            f"cannot read '{' '.join(map(str, paths))}': these recordings are of different "
            "machines, or a machine was restarted between them, so their times cannot be "
            "compared. Read them one at a time."
        )
