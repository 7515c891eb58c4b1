"""The files of a flight recording, as one trace: tracer/core/output/segments.h."""

import re
from collections.abc import Iterator
from pathlib import Path

from viewer.trace.locks import is_locked

_RING, _HEAD, _BODY = ".ring", ".head", ".body"
_TRIES = 8  # a ring that is being written loses its oldest file now and then
_SNAPSHOT = re.compile(r"\d{8}-\d{6}-\d+(-\d+)?\.pftrace")


def is_ring(path: Path) -> bool:
    return path.suffix == _RING and path.is_dir()


def rings_in(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.glob(f"*{_RING}")) if path.is_dir())


def is_snapshot(path: Path) -> bool:
    """Whether its name is one that a flight recording gives to its snapshots."""
    return _SNAPSHOT.fullmatch(path.name) is not None


def read_ring(ring: Path) -> tuple[bytes, bool]:
    """Its bytes, from the oldest head on, and whether it is being written. Raises OSError."""
    for attempt in range(_TRIES):
        try:
            return _read(ring)
        except FileNotFoundError:
            if attempt == _TRIES - 1 or not ring.is_dir():
                raise
    raise AssertionError


def _read(ring: Path) -> tuple[bytes, bool]:
    heads, bodies = (sorted(ring.glob(f"*{suffix}")) for suffix in (_HEAD, _BODY))
    stems = {body.stem for body in bodies}
    whole = [head for head in heads if head.stem in stems]
    if not whole:
        return b"", False
    parts, live = [whole[0].read_bytes()], False
    for body in bodies:
        if body.stem >= whole[0].stem:
            with body.open("rb") as file:
                live = is_locked(file.fileno())  # asked first: then the end may be missing
                parts.append(file.read())
    return b"".join(parts), live


def read_since(ring: Path, unix_ns: int) -> bytes:
    """A trace that begins at that time of day or, since it begins with a segment, somewhat
    earlier; with the oldest segment if that is younger. Raises OSError."""
    for attempt in range(_TRIES):
        try:
            return _read_since(ring, unix_ns)
        except FileNotFoundError:
            if attempt == _TRIES - 1 or not ring.is_dir():
                raise
    raise AssertionError


def _read_since(ring: Path, unix_ns: int) -> bytes:
    heads, bodies = (sorted(ring.glob(f"*{suffix}")) for suffix in (_HEAD, _BODY))
    stems = {body.stem for body in bodies}
    whole = [head for head in heads if head.stem in stems]
    older = [head for head in whole if head.stat().st_mtime_ns <= unix_ns]
    if not whole:
        return b""
    first = older[-1] if older else whole[0]
    return b"".join(
        [
            first.read_bytes(),
            *(body.read_bytes() for body in bodies if body.stem >= first.stem),
        ]
    )
