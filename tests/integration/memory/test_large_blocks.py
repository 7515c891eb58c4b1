"""What a recording does to the program's heap: large reads stay cheap, as those of asyncio."""

import os
import platform
from pathlib import Path

import pytest

from tests.support.launching import compare, script

READS = 1000
SOURCE = f"""
import resource
import socket

here, there = socket.socketpair()
filler = [bytes(100 << 10) for _ in range(100)]  # what was free in the heap


def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


before = faults()
for _ in range({READS}):
    there.send(b"x")
    here.recv(256 << 10)
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="how glibc's malloc works")
def test_reads_have_no_mapping_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would cost three system calls and a page fault or two."""
    for name in os.environ:
        if name.startswith("MALLOC_") or name in (
            "GLIBC_TUNABLES",
            "LD_PRELOAD",
            "PYTHONMALLOC",
        ):
            monkeypatch.delenv(name)
    plain, traced = compare(script("reads", SOURCE), tmp_path)
    assert plain.status == traced.status == 0, traced.stderr
    if int(plain.stdout) < READS:
        pytest.skip("this C library gives them none anyway")
    assert int(traced.stdout) < READS // 2
