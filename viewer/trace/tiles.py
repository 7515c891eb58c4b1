"""Lanes cut into what a screen can show: the Python twins of native/tiles.c, and their bytes.

A lane is a row of slices that do not overlap, except a few nested ones. A tile of it has
every slice that is at least a pixel wide, as it is; slices that share a pixel become one
bucket with the share of each state. A tile without buckets is exact: zooming shows no more.
"""

import json
import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from viewer.trace.columns import Column, Lanes, Tile, views

STATES = 16  # the codes of slices are smaller
PIXELS = 1024  # width of a tile
_ALIGNMENT = 8
_REACH = 16  # as many slices before a moment may last until then: one, and nested ones


def lanes(start: Column, end: Column, code: Column, lane: Column, count: int) -> Lanes:
    """Rows by lane, in each lane in their order; rows with lane -1 are left out."""
    members: list[list[int]] = [[] for _ in range(count)]
    for i, k in enumerate(lane):
        if k >= 0:
            members[k].append(i)
    offset = array("i", [0])
    for rows in members:
        offset.append(offset[-1] + len(rows))
    row = array("i", (i for rows in members for i in rows))
    columns = (
        offset,
        row,
        array("q", (start[i] for i in row)),
        array("q", (end[i] for i in row)),
        array("B", (code[i] for i in row)),
    )
    return Lanes(*views(columns))


@dataclass(slots=True)
class _Bucket:
    """One pixel in which several slices begin."""

    index: int = -1
    ns: list[int] = field(default_factory=lambda: [0] * STATES)
    places: list[int] = field(default_factory=list)


def tile(
    offset: Column,
    row: Column,
    start: Column,
    end: Column,
    code: Column,
    wanted: Column,
    from_ns: int,
    pixel_ns: int,
    pixels: int,
) -> Tile:
    """What `pixels` pixels, beginning at `from_ns`, show of the wanted lanes."""
    lane, count, rows = array("i"), array("i"), array("i")
    starts, ends = array("q"), array("q")
    codes, shares = array("B"), array("B")

    def put(i: int) -> None:
        starts.append(start[i])
        ends.append(end[i])
        codes.append(code[i])
        rows.append(row[i])
        count.append(1)

    def close(bucket: _Bucket) -> None:
        if len(bucket.places) == 1:
            put(bucket.places[0])
        elif bucket.places:
            starts.append(from_ns + bucket.index * pixel_ns)
            ends.append(starts[-1] + pixel_ns)
            codes.append(bucket.ns.index(max(bucket.ns)))
            rows.append(-1)
            count.append(len(bucket.places))
            shares.extend(min(ns * 255 // pixel_ns, 255) for ns in bucket.ns)

    until = from_ns + pixels * pixel_ns
    for k in wanted:
        lane.append(len(codes))
        low = bisect_right(start, from_ns, offset[k], offset[k + 1])
        bucket = _Bucket()
        for i in range(max(low - _REACH, offset[k]), offset[k + 1]):
            if start[i] >= until:
                break
            if end[i] < from_ns or end[i] == from_ns > start[i]:
                continue
            if end[i] - start[i] >= pixel_ns:
                put(i)
                continue
            begin = max(start[i], from_ns)
            index = (begin - from_ns) // pixel_ns
            if index != bucket.index:
                close(bucket)
                bucket = _Bucket(index)
            bucket.places.append(i)
            border = from_ns + (index + 1) * pixel_ns
            bucket.ns[code[i] % STATES] += min(end[i], border) - begin
            if end[i] > border:
                close(bucket)
                bucket = _Bucket(index + 1)
                bucket.ns[code[i] % STATES] = end[i] - border
        close(bucket)
    lane.append(len(codes))
    return Tile(*views((lane, starts, ends, codes, rows, count, shares)))


def clip(
    start: Column, end: Column, kind: Column, from_ns: int, to_ns: int
) -> tuple[Column, Column, Column]:
    """Times cut to the range; what lies outside has kind 0."""
    starts = array("q", (min(max(at, from_ns), to_ns) for at in start))
    ends = array(
        "q", (max(min(max(at, from_ns), to_ns), s) for at, s in zip(end, starts, strict=True))
    )
    kinds = array(
        "B",
        (
            k if s < to_ns and (e > from_ns or s >= from_ns) else 0
            for s, e, k in zip(start, end, kind, strict=True)
        ),
    )
    return memoryview(starts), memoryview(ends), memoryview(kinds)


def encode(tile_: Tile, lanes_: int, origin_ns: int, label: Callable[[int], str]) -> bytes:
    """A tile as the page reads it: a JSON head, padded to 8 bytes, and the columns.

    Times are doubles, ns since `origin_ns`. `label` gives the text of a row.
    """
    texts: dict[str, int] = {}
    labels = array(
        "i",
        (texts.setdefault(label(row), len(texts)) if row >= 0 else -1 for row in tile_.row),
    )
    items = len(tile_.code)
    columns = (
        array("d", (at - origin_ns for at in tile_.start_ns)).tobytes(),
        array("d", (at - origin_ns for at in tile_.end_ns)).tobytes(),
        bytes(tile_.lane),
        bytes(tile_.row),
        bytes(tile_.count),
        labels.tobytes(),
        bytes(tile_.code),
        bytes(tile_.shares),
    )
    head = json.dumps(
        {"lanes": lanes_, "items": items, "exact": tile_.is_exact, "labels": list(texts)},
        ensure_ascii=False,
    ).encode()
    head += b" " * (-(len(head) + 4) % _ALIGNMENT)
    return struct.pack("<I", len(head)) + head + b"".join(columns)
