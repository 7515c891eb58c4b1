"""Memory of commands that read a trace and end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from viewer.trace.engine import HAS_NATIVE, keep_memory

_LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_ROOM = """
from pathlib import Path
from viewer.trace.engine import keep_memory

def advised():
    found, sizes = "", {}
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "VmFlags" and "hg" in rest.split():
            sizes[where] = size
        elif name == "Size":
            size = int(rest.split()[0]) // 1024
        elif "-" in name.split(" ")[0]:
            where = line.split()[5] if len(line.split()) > 5 else line
    return sizes

assert not advised()
keep_memory(256 << 20)
heap = advised().pop("[heap]")
assert heap >= 250, heap
others = [size for where, size in advised().items() if where != "[heap]"]
assert max(others) >= 250, others
kept = [str(i) * 3 for i in range(100_000)]
kept += [bytes(40 << 20)]
keep_memory(256 << 20)  # another command
assert kept[777] == "777777777" and not any(kept[-1])
del kept
print("fine")
"""


@pytest.mark.skipif(not HAS_NATIVE, reason="the decoder is not built")
@pytest.mark.skipif(not _LARGE_PAGES.exists(), reason="no large pages in this kernel")
@pytest.mark.skipif(sys.platform != "linux", reason="a file of Linux tells")
@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="the address sanitizer has its own heap",
)
def test_room_is_in_large_pages():
    """The heap and Python's small objects; what was stored there stays as it is."""
    done = subprocess.run([sys.executable, "-c", _ROOM], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("fine\n", "")


@pytest.mark.skipif(not HAS_NATIVE, reason="the decoder is not built")
def test_no_room_of_less_than_nothing():
    with pytest.raises(ValueError, match="number of bytes"):
        keep_memory(-1)
