"""Reads protobuf's wire format; every length is checked."""

from collections.abc import Iterator
from mmap import mmap

type Data = bytes | mmap  # of a file: read, or mapped


class Malformed(Exception):
    """The bytes are not a protobuf message."""


def read_varint(data: Data, at: int, end: int) -> tuple[int, int]:
    """The number at `at` and the position after it; bits above 64 are dropped."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise Malformed


def fields(data: Data, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields of a message: (tag, number, position after it).

    The tag is field number << 3 | wire type. For a varint or fixed64 `number` is the value,
    otherwise the position of the first byte.
    """
    while at < end:
        # Nearly all varints have one byte: they are read here, the others by the function.
        tag = data[at]
        if tag < 0x80:
            at += 1
        else:
            tag, at = read_varint(data, at, end)
        wire = tag & 7
        if tag < 8:
            raise Malformed
        if wire == 0:
            if at < end and data[at] < 0x80:
                number = data[at]
                at += 1
            else:
                number, at = read_varint(data, at, end)
            yield tag, number, at
            continue
        if wire == 2:
            if at < end and data[at] < 0x80:
                length = data[at]
                at += 1
            else:
                length, at = read_varint(data, at, end)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise Malformed
        if length > end - at:
            raise Malformed
        start, at = at, at + length
        yield tag, int.from_bytes(data[start:at], "little") if wire == 1 else start, at


def varint(field: int) -> int:
    """The tag of a varint field."""
    return field << 3


def fixed64(field: int) -> int:
    """The tag of a fixed64 field."""
    return field << 3 | 1


def message(field: int) -> int:
    """The tag of a length-delimited field."""
    return field << 3 | 2
