"""Modules loaded while the program runs: even their first blocking call gets its name."""

import _ctypes
import ctypes
import sys
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.compiled import compiled
from tests.support.recordings import record_here
from tests.support.validator.rules import validate
from tests.support.validator.slices import Slice
from tracer import schema as s

WITHOUT_TRAMPOLINES = ("--no-io",)  # only libc's names are left

IMPORTS = """
import sys
assert "select" not in sys.modules
import select
select.poll().poll(30)
select.poll().poll(30)
"""

IMPORTS_AFTER_A_FORK = """
import os
if os.fork() == 0:
    os._exit(0)
import select
select.poll().poll(30)
os.wait()
"""

FORKS_WHILE_IMPORTING = """
import importlib, os, pathlib, signal, sysconfig, threading, time
folder = pathlib.Path(sysconfig.get_config_var("DESTSHARED"))
names = [path.name.partition(".")[0] for path in folder.glob("*.so")]
names = [name for name in names if "test" not in name]

def imports():
    for name in names:
        try: importlib.import_module(name)
        except ImportError: pass

thread = threading.Thread(target=imports)
thread.start()
hung = 0
while thread.is_alive() and not hung:
    child = os.fork()
    if child == 0:
        os._exit(0)
    deadline = time.monotonic() + 60
    while not os.waitpid(child, os.WNOHANG)[0]:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            hung += 1
            break
        time.sleep(0.0001)
thread.join()
print(hung)
"""

LOADS = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.block(30)
"""

LOADS_AND_WAITS = (
    LOADS
    + """
import time
time.sleep(0.3)  # the writer needs the names meanwhile, and finds none itself
"""
)

LOADS_AND_WORKS = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.work_and_block(200, 100)
"""

LIBRARY = """
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int block(int ms) { return poll(0, 0, ms); }
/* What takes its time before the first call is none that has a name. */
int work_and_block(int work_ms, int ms)
{
    struct timespec time = {0, work_ms * 1000000L};
    syscall(SYS_nanosleep, &time, 0);
    return write(-1, 0, 0) + poll(0, 0, ms);
}
"""


def io_of(trace: Path) -> list[Slice]:
    """What the program's only thread was blocked in, except listing and reading modules."""
    found = validate(trace.read_bytes())
    (lane,) = (lane for (pid, _), lane in found.lanes.items() if pid == found.processes[0])
    calls = (each for each in lane.slices if each.begin.category == s.CAT_IO)
    return [each for each in calls if "poll" in each.name]


@pytest.mark.parametrize(
    ("program", "calls"), [(IMPORTS, 2), (IMPORTS_AFTER_A_FORK, 1)], ids=["import", "fork"]
)
def test_first_call_of_an_extension(record: Recorder, program: str, calls: int) -> None:
    """Its addresses are patched before the import ends, not in the writer's next pass."""
    polls = io_of(record(program, options=WITHOUT_TRAMPOLINES))
    name = "io: ppoll" if sys.version_info >= (3, 15) else "io: poll"  # what Python calls
    assert [each.name for each in polls] == [name] * calls


@pytest.mark.parametrize("turn", range(3))
def test_forked_while_a_thread_imports(record: Recorder, turn: int) -> None:
    """The child needs nothing that the parent's thread has locked in the loader: it ends."""
    record(FORKS_WHILE_IMPORTING)
    assert record.stdout == "0\n"


@pytest.fixture
def library(tmp_path: Path) -> str:
    """A shared object with a blocking function."""
    return compiled(LIBRARY, tmp_path)


# A constructor that says it runs (the loader's lock is taken), and wants the GIL when told.
SLOW_TO_LOAD = """\
#include <unistd.h>
extern int PyGILState_Ensure(void);
extern void PyGILState_Release(int);
__attribute__((constructor)) static void load(void)
{
    char byte = 0;
    if (write(INSIDE, &byte, 1) == 1 && read(GO_ON, &byte, 1) == 1)
        PyGILState_Release(PyGILState_Ensure());
}
"""
# The main thread keeps the GIL from its last read on.
ENDS_WHILE_LOADING = """\
import ctypes, os, pathlib, signal, sys, threading, time

def switches(task):
    return (task / "status").read_text().partition("\\nvoluntary_ctxt_switches:")[2]

signal.pthread_sigmask(signal.SIG_BLOCK, [15])  # before other threads exist: they block it too
(writer,) = (t for t in pathlib.Path("/proc/self/task").iterdir()
             if (t / "comm").read_text() == "tracer-writer\\n")
dlopen = ctypes.CDLL(None).dlopen  # called without the GIL
write = ctypes.PyDLL(None).write  # keeps it
for fd, pipe in ((INSIDE, inside := os.pipe()), (GO_ON, go_on := os.pipe())):
    os.dup2(pipe[fd == INSIDE], fd)
thread = threading.Thread(target=dlopen, args=(os.fsencode(sys.argv[1]), 2))
thread.start()
os.read(inside[0], 1)
seen = ""
while seen != (seen := switches(writer)):  # until the writer waits for the loader's lock
    time.sleep(0.5)
sys.setswitchinterval(1000)
write(go_on[1], b"x", 1)
{ending}
thread.join()
print("ends")
"""
ENDINGS = {
    "fork": "if not os.fork(): os._exit(0)",
    "a signal that may end it": "os.kill(os.getpid(), 15)",
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_ends_while_a_thread_loads(record: Recorder, tmp_path: Path, ending: str) -> None:
    """The writer waits for the loader's lock, its holder for the GIL: nobody may wait for the
    writer with the GIL. The writer needs half a second to be known as waiting."""
    fds = (("INSIDE", "60"), ("GO_ON", "61"))
    source, program = SLOW_TO_LOAD, ENDS_WHILE_LOADING.replace("{ending}", ending)
    for name, fd in fds:
        source, program = source.replace(name, fd), program.replace(name, fd)
    record(program, compiled(source, tmp_path))
    assert record.stdout == "ends\n"


def test_first_call_of_a_library(record: Recorder, library: str) -> None:
    """The same holds for libraries that ctypes loads."""
    (poll,) = io_of(record(LOADS, library, options=WITHOUT_TRAMPOLINES))
    assert poll.name == "io: poll"


def test_a_short_call_after_work_is_not_the_longest(record: Recorder, library: str) -> None:
    """Of several calls in one release of the GIL, the longest names it. A call begins with
    itself, not with the release."""
    (poll,) = io_of(record(LOADS_AND_WORKS, library, options=WITHOUT_TRAMPOLINES))
    assert poll.name == "io: poll"


def test_where_it_was_although_a_long_wait_follows(record: Recorder, library: str) -> None:
    """A call without a trampoline is named before the next one blocks."""
    (poll,) = io_of(record(LOADS_AND_WAITS, library))
    assert str(poll.args[s.ARG_SITE]).endswith("/program0.py:4 <module>")


def test_poll_objects_have_their_name_at_once(record: Recorder) -> None:
    """Their class cannot be found by name; it is the type of what `select.poll` returns."""
    polls = io_of(record(IMPORTS))
    assert [each.name for each in polls] == ["io: select.poll.poll"] * 2
    assert [each.args[s.ARG_SITE].rpartition("/")[2] for each in polls] == [  # type: ignore[union-attr]
        "program0.py:5 <module>",
        "program0.py:6 <module>",
    ]


# Where it finds poll() is in its address table.
FINDS = """\
#include <poll.h>
#include <stdint.h>
uintptr_t address(void) { return (uintptr_t)poll; }
"""


@pytest.mark.parametrize("unloads", [False, True], ids=["all stay", "one is unloaded"])
def test_hooks_are_taken_back(tmp_path: Path, unloads: bool) -> None:
    """From every object that is still there, as often as a recording ends."""
    places = [tmp_path / name for name in ("stays", "goes")]
    for place in places:
        place.mkdir()
    stays, goes = (ctypes.CDLL(compiled(FINDS, place)) for place in places)
    for each in (stays, goes):
        each.address.restype = ctypes.c_void_p
    libc = [stays.address(), goes.address()]
    hooked: list[list[int]] = []

    def run() -> None:
        hooked.append([stays.address(), goes.address()])
        if unloads and len(hooked) == 2:
            _ctypes.dlclose(goes._handle)

    for turn in range(2):
        record_here(run, tmp_path / f"{turn}.pftrace", signals=("gil", "io"))
        left = [stays] if unloads and turn else [stays, goes]
        assert [each.address() for each in left] == libc[: len(left)]
    assert all(
        ours != theirs for found in hooked for ours, theirs in zip(found, libc, strict=True)
    )
