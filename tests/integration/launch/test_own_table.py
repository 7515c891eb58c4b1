"""Where a program could have every number, it finds none of the recorder's descriptors."""

import ctypes
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROGRAM_TIMEOUT_S
from tests.support.family import events, folder, has_ended
from tests.support.validator.rules import validate
from tracer import schema as s

HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
LIMIT = 2000
pytestmark = pytest.mark.skipif(0 <= HARD < LIMIT, reason="needs 2,000 descriptors")

# The limit as the program has it: nothing is above it.
EQUAL = f"""\
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({LIMIT}, {LIMIT}))
"""
# As Docker's profile on old systems: close_range() (436 everywhere) fails with EPERM.
REFUSE = """\
import ctypes, struct
words = (0x20, 0, 0, 0), (0x15, 0, 1, 436), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7fff0000)
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *word) for word in words))
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, filter, 0, 0):
    sys.exit("no filter")
"""
BECOME = "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"

LISTED = """\
import os, subprocess, sys, threading, warnings
warnings.simplefilter("error")

def listed(who):
    fd = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
    print(who, sorted(map(int, os.listdir(fd))), flush=True)
    os.close(fd)

"""
EVERYWHERE = (
    LISTED
    + """\
listed("first")
for who in "forked", "forked again":
    if not (pid := os.fork()):
        listed(who)
        if not (pid := os.fork()):
            listed("its child")
            os._exit(0)
        os.waitpid(pid, 0)
        os._exit(0)
    os.waitpid(pid, 0)
    listed("after " + who)
CHILD = sys.argv[0].replace("prog", "child")
for close_fds in True, False:
    subprocess.run([sys.executable, CHILD], close_fds=close_fds, check=True)
try:
    os.execv("/nowhere", ["nowhere"])
except FileNotFoundError:
    listed("after exec")
os.closerange(3, 65536)
listed("closed")
"""
)


def can_have_its_own() -> bool:
    """Whether the kernel knows close_range(), which here closes nothing, and allows it."""
    return bool(ctypes.CDLL(None).syscall(436, 2**31 - 1, 2**31 - 1, 0) == 0)


def run(directory: Path, source: str, *tracer: str, before: str = EQUAL) -> tuple[str, str]:
    (directory / "prog.py").write_text(source)
    (directory / "child.py").write_text(LISTED + 'listed("spawned")\n')
    done = subprocess.run(
        [sys.executable, "-c", before + BECOME, *tracer, "prog.py"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=PROGRAM_TIMEOUT_S,
        check=False,
    )
    if done.stderr == "no filter\n":
        pytest.skip("the kernel takes no filter of system calls")
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def traced(directory: Path, source: str, before: str = EQUAL) -> tuple[str, str]:
    options = "-m", "tracer", "run", "--no-profile", "-o", "a.pftrace"
    return run(directory, source, *options, before=before)


def processes(directory: Path) -> int:
    """How many there are; each has recorded its end."""
    trace = directory / "a.pftrace"
    found = validate(trace.read_bytes())
    assert has_ended(found)
    assert not folder(trace).exists()
    return len(found.processes)


def numbers(text: str) -> set[int]:
    """In all lists of an output."""
    return {
        int(word) for line in text.splitlines() for word in line.split("[")[1][:-1].split(",")
    }


@pytest.mark.skipif(not can_have_its_own(), reason="close_range() is refused here")
def test_table_is_the_programs(tmp_path: Path) -> None:
    """In the first process, in forked ones and new Pythons, and after all was closed."""
    plain, _ = run(tmp_path, EVERYWHERE)
    shown, said = traced(tmp_path, EVERYWHERE)
    assert shown == plain
    assert max(numbers(shown)) < 64
    assert "Warning" not in said
    assert processes(tmp_path) == 7


def test_where_the_kernel_refuses_it(tmp_path: Path) -> None:
    """Then they are in the program's, high up, and end when the program closes all."""
    refused = EQUAL + REFUSE
    plain, _ = run(tmp_path, EVERYWHERE, before=refused)
    shown, _ = traced(tmp_path, EVERYWHERE, before=refused)
    ours = numbers(shown) - numbers(plain)
    assert ours
    assert min(ours) >= 900
    assert len(validate((tmp_path / "a.pftrace").read_bytes()).processes) == 7


def test_where_the_recorder_runs_python(tmp_path: Path) -> None:
    """Its thread, which the writer starts, has the program's table: so has the writer."""
    options = "-m", "tracer", "run", "--no-profile", "--heap", "-o", "a.pftrace"
    shown, _ = run(tmp_path, LISTED + 'listed("first")\n', *options)
    assert max(numbers(shown)) >= 900


# The program closes each end that is written to while the recorder's thread begins anew.
PIPES = """\
import os, socket, warnings
warnings.simplefilter("error")
for _ in range(20):
    reads, writes = os.pipe()
    ours, theirs = socket.socketpair()
    if not (pid := os.fork()):
        os.close(writes)
        theirs.close()
        assert os.read(reads, 9) == b"" and ours.recv(9) == b""
        os._exit(0)
    os.close(reads)
    ours.close()
    os.close(writes)
    theirs.close()
    assert os.waitpid(pid, 0)[1] == 0
    reads, writes = os.pipe()
    if not (pid := os.fork()):
        os._exit(os.write(writes, b"abc") - 3)
    os.close(writes)
    assert os.read(reads, 9) == b"abc" and os.read(reads, 9) == b""
    os.close(reads)
    assert os.waitpid(pid, 0)[1] == 0
"""


def test_ends_of_pipes(tmp_path: Path) -> None:
    """Nobody else has them open: who reads is told of the end."""
    traced(tmp_path, PIPES)
    assert processes(tmp_path) == 41


FULL = """\
import os, sys, time, warnings
warnings.simplefilter("error")

def after_all():
    time.sleep(0.001)

full = []
try:
    while True:
        full.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
{spare}
if not (pid := os.fork()):
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
after_all()
try:
    os.execv("/nowhere", ["nowhere"])
except FileNotFoundError:
    pass
after_all()
"""


@pytest.mark.parametrize("spare", range(4))
def test_no_descriptor_is_free(tmp_path: Path, spare: int) -> None:
    """Or a few: the program forks without a warning, and is recorded to its end."""
    source = FULL.format(spare="\n".join(["os.close(full.pop())"] * spare))
    if sys.version_info >= (3, 15) and spare in (1, 2):
        # Known: too few for the recorder's thread to end, but enough for CPython to see it.
        source = source.replace('"error"', '"ignore"')
    _, said = traced(tmp_path, source)
    assert "Warning" not in said
    trace = tmp_path / "a.pftrace"
    assert has_ended(validate(trace.read_bytes()))
    begun = [event for event in events(trace, s.SLEEP) if event.type == s.TYPE_SLICE_BEGIN]
    assert len(begun) == 2


# The program closes all while the recorder's thread is paused, and then has sockets of its
# own, with something to read.
TAKEN = f"""\
import os, socket, warnings
warnings.simplefilter("error")
sockets = []

def take_all():
    os.closerange(3, {LIMIT})
    try:
        while True:
            sockets.extend(socket.socketpair(type=socket.SOCK_DGRAM))
    except OSError:
        pass
    for one in sockets:
        one.send(b"mine")
        one.setblocking(False)

os.register_at_fork(before=take_all)  # the recorder comes later, and so pauses earlier
import tracer
tracer.start("a.pftrace")
if not (pid := os.fork()):
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
tracer.stop()
assert len(sockets) > {LIMIT} - 20
assert all(one.recv(9) == b"mine" for one in sockets)
"""


def test_queues_of_the_program(tmp_path: Path) -> None:
    """Where the recorder's are no longer there, it takes nothing from what is instead."""
    run(tmp_path, TAKEN)
