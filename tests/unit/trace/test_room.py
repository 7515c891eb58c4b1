"""Memory of commands that read a trace and end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from viewer.trace.engine import HAS_NATIVE, keep_memory

_SIZES = """
import resource
from pathlib import Path
from viewer.trace.engine import keep_memory

def sizes():
    numbers = Path("/proc/self/statm").read_text().split()[:2]
    return [int(number) * resource.getpagesize() >> 20 for number in numbers]

def addresses():
    return sizes()[0]

def in_memory():
    return sizes()[1]

"""
_ROOM = """
before = addresses()
keep_memory(256 << 20)
assert addresses() >= before + 500
kept = [str(i) * 3 for i in range(100_000)]
kept += [bytes(40 << 20)]
for size in range(1, 4 << 20, 100_000):
    grown = bytearray(kept[99_999], "ascii") + bytearray(size)
    grown.extend(grown)
    assert grown.startswith(b"999999999999999") and grown.count(0) == 2 * size
    kept.append(grown)
keep_memory(256 << 20)  # another command
assert kept[777] == "777777777" and not any(kept[100_000])
del kept
"""
_AGAIN = """
before = in_memory()
keep_memory(256 << 20)
for _ in range(30):
    objects = [str(i) * 3 for i in range(200_000)]
    del objects
after = in_memory()
assert after < before + 128, (before, after)
"""
_LIMITED = """
resource.setrlimit(resource.LIMIT, (4 << 30, resource.RLIM_INFINITY))
before = addresses()
keep_memory(256 << 20)
assert addresses() < before + 100
"""


def _addresses_are_free() -> bool:
    resource = pytest.importorskip("resource")
    return all(
        resource.getrlimit(limit)[0] == resource.RLIM_INFINITY
        for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    ) and Path("/proc/sys/vm/overcommit_memory").read_text() in ("0\n", "1\n")


@pytest.mark.skipif(not HAS_NATIVE, reason="the decoder is not built")
@pytest.mark.skipif(sys.platform != "linux", reason="a file of Linux tells")
@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="the address sanitizer has its own heap",
)
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(_ROOM, id="the heap and small objects"),
        pytest.param(_AGAIN, id="what becomes free is used again"),
        pytest.param(_LIMITED.replace("LIMIT", "RLIMIT_AS"), id="few addresses"),
        pytest.param(_LIMITED.replace("LIMIT", "RLIMIT_DATA"), id="little data"),
    ],
)
def test_room_is_taken_at_once(program: str) -> None:
    """What was stored there stays as it is; none is taken where addresses are scarce."""
    if not _addresses_are_free():
        pytest.skip("needs a system that gives addresses away, and no `ulimit -v`")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONMALLOC"}
    done = subprocess.run(
        [sys.executable, "-c", _SIZES + program],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@pytest.mark.skipif(not HAS_NATIVE, reason="the decoder is not built")
def test_no_room_of_less_than_nothing():
    with pytest.raises(ValueError, match="number of bytes"):
        keep_memory(-1)
