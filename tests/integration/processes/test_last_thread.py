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


@pytest.mark.parametrize("program", [FORKED_IN_A_THREAD, LEFT_BY_THE_FIRST])
def test_last_thread(record: Recorder, program: str) -> None:
    """It ends by itself, and its trace is whole."""
    trace = read_strict(record(program).read_bytes())
    assert record.stdout == "in the child\n0\n"
    _, child = trace.processes
    assert child.events[-1].name == s.RECORDING_ENDED
    (told,) = [event for event in trace.events if event.name == s.CHILD_ENDED]
    assert told.args == {s.ARG_CHILD: child.pid, s.ARG_STATUS: 0}
