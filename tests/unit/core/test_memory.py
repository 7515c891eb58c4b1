"""What the recorder keeps does not lie between the program's blocks."""

import ctypes

import pytest

from tracer import _core

LENGTH, TEXTS = 400, 1_000


class Heap(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena_bytes",
            "free_blocks",
            "small_blocks",
            "mappings",
            "mapped_bytes",
            "unused",
            "small_bytes",
            "used_bytes",
            "free_bytes",
            "top_bytes",
        )
    )
    mapped_bytes: int
    used_bytes: int


def used_bytes() -> int:
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        pytest.skip("the C library does not tell")
    libc.mallinfo2.restype = Heap
    heap = libc.mallinfo2()
    return int(heap.used_bytes) + int(heap.mapped_bytes)


def test_names_are_kept_apart_from_the_programs_heap() -> None:
    before = used_bytes()
    for number in range(TEXTS):
        _core.intern(f"kept apart {number}".ljust(LENGTH, "."), f"apart.py:{number}")
    assert used_bytes() - before < LENGTH * TEXTS // 4


def test_names_stay_what_they_were() -> None:
    """Of every size of block, and in the tables that grow meanwhile."""
    texts = [f"{length} ".ljust(length, "x") for length in range(8, 3_000, 7)]
    ids = [_core.intern(text, "") for text in texts]
    assert len(set(ids)) == len(texts)
    assert [_core.intern(text, "") for text in texts] == ids
