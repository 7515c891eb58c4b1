"""A process whose first thread ends lives until its others have, and no longer for us."""

import pytest

from tests.conftest import Recorder
from tests.support.validator.strict import read_strict
from tracer import schema as s

FORKED_IN_A_THREAD = """\
import os, threading, warnings
warnings.simplefilter("ignore")  # of forks with threads

def fork():
    pid = os.fork()
    if pid:
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        return
    inner = threading.Thread(target=print, args=("in the child",), kwargs={"flush": True})
    inner.start()
    inner.join()  # and then the only thread ends

outer = threading.Thread(target=fork)
outer.start()
outer.join()
"""

LEFT_BY_THE_FIRST = """\
import ctypes, os, threading
pid = os.fork()
if pid:
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
else:
    go_on = threading.Event()

    def last():
        go_on.wait()
        print("in the child", flush=True)
        ctypes.CDLL(None).pthread_exit(None)  # Python would wait for its first thread

    threading.Thread(target=last).start()
    go_on.set()
    ctypes.CDLL(None).pthread_exit(None)
"""


# As by chroot(), after its recording has begun.
LEFT_PROC_BEHIND = LEFT_BY_THE_FIRST.replace(
    "    go_on = ", "    from tracer import _core; _core.no_task_folder()\n    go_on = "
)

# From Python 3.14 on, the system knows threads by their names, as "Thread-1 (fork)".
HAS_SUCH_A_NAME = f"""\
import ctypes
PR_SET_NAME = 15

def named():
    ctypes.CDLL(None).prctl(PR_SET_NAME, NAME, 0, 0, 0)
    fork()

{FORKED_IN_A_THREAD.replace("target=fork", "target=named")}"""
NAMES = (b"Thread-1 (fork)", b"a) S 1", b"", b"\xff) (", b"two\nlines")


@pytest.mark.parametrize(
    "program",
    [
        FORKED_IN_A_THREAD,
        LEFT_BY_THE_FIRST,
        LEFT_PROC_BEHIND,
        *(HAS_SUCH_A_NAME.replace("NAME, 0", f"{name!r}, 0") for name in NAMES),
    ],
)
def test_last_thread(record: Recorder, program: str) -> None:
    """It ends by itself, and its trace is whole."""
    trace = read_strict(record(program).read_bytes())
    assert record.stdout == "in the child\n0\n"
    _, child = trace.processes
    assert child.events[-1].name == s.RECORDING_ENDED
    (told,) = [event for event in trace.events if event.name == s.CHILD_ENDED]
    assert told.args == {s.ARG_CHILD: child.pid, s.ARG_STATUS: 0}


@pytest.mark.parametrize("is_there", [True, False])
def test_without_a_list_of_threads(record: Recorder, is_there: bool) -> None:
    """Where there is no /proc, nobody could see that the child's last thread has ended: such a
    child is not recorded, and ends as it would."""
    away = "from tracer import _core; _core.no_task_folder()\n"
    trace = read_strict(record(("" if is_there else away) + FORKED_IN_A_THREAD).read_bytes())
    assert record.stdout == "in the child\n0\n"
    assert len(trace.processes) == 1 + is_there
