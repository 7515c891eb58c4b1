"""The process that makes an answer: what it makes, and what it says when it cannot."""

import os
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.support.asking import served
from tests.support.models import trace_file
from tests.support.stories.moment import moment
from viewer.endpoints import derive
from viewer.endpoints.answers import Endpoints, Program, Recorder
from viewer.endpoints.demands import Demands
from viewer.endpoints.derive import Deriver, NotDerived, Order
from viewer.endpoints.index import PAGE, PPROF

pytestmark = pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="the address sanitizer needs more memory than the limit leaves",
)


def test_an_answer(tmp_path: Path) -> None:
    """A real process, from a trace."""
    order = Order("text", str(trace_file(tmp_path, moment())), "threadcreate")
    assert Deriver().derived(order).startswith(b"threadcreate profile: total 4\n")


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence each."""
    missing = str(tmp_path / "missing.pftrace")
    with pytest.raises(NotDerived, match="cannot be read: No such file"):
        Deriver().derived(Order("page", missing))
    other = tmp_path / "other.txt"
    other.write_bytes(b"no trace")
    with pytest.raises(NotDerived, match=r"^cannot read '.*other.txt'"):
        Deriver().derived(Order("page", str(other)))
    monkeypatch.setattr(derive, "TRACE_BYTES", 4)
    with pytest.raises(NotDerived, match="more than is read for an answer"):
        Deriver().derived(Order("page", str(other)))


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended when it takes too long, and its answer is dropped when it is too long."""
    order = Order("text", str(trace_file(tmp_path, moment())), "threadcreate")
    monkeypatch.setattr(derive, "ANSWER_BYTES", 10)
    with pytest.raises(NotDerived, match="too long"):
        Deriver().derived(order)
    monkeypatch.setattr(derive, "_CODE", "import os, signal; os.kill(os.getpid(), 9)")
    with pytest.raises(NotDerived, match="ended by SIGKILL"):
        Deriver().derived(order)
    monkeypatch.setattr(derive, "_CODE", "import time; time.sleep(600)")
    monkeypatch.setattr(derive, "DERIVE_S", 0.1)
    with pytest.raises(NotDerived, match=r"more than 0\.1 s"):
        Deriver().derived(order)


MAKES = (
    "import os, sys; sys.path.insert(0, sys.argv[1]); from viewer.endpoints import derive; "
    "derive._MAKERS = {{'page': lambda _: {}}}; derive.derive(sys.argv[2])"
)


@pytest.mark.parametrize(
    ("makes", "says"),
    [
        ("bytes(8 << 30)", "The recording is too large for the memory"),
        ("1 // 0", r"could not be made \(ZeroDivisionError\)"),
        ("sys.exit(3)", "It failed with exit code 3"),
    ],
)
def test_what_goes_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, makes: str, says: str
) -> None:
    """No memory, or a bug: a sentence."""
    order = Order("page", str(trace_file(tmp_path, moment())))
    monkeypatch.setattr(derive, "_CODE", MAKES.format(makes))
    with pytest.raises(NotDerived, match=says):
        Deriver().derived(order)


def test_it_is_the_least_important(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = Order("page", str(trace_file(tmp_path, moment())))
    monkeypatch.setattr(derive, "_CODE", MAKES.format("b'%d' % os.nice(0)"))
    assert Deriver().derived(order) == b"19"


@pytest.mark.broad
def test_killed_for_each_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks is told each time, and the next request is answered."""
    program = Program(4711, ("app.py",), str(trace_file(tmp_path, moment())))
    demands = Demands(lambda _line: None, SimpleQueue())
    recorder = Recorder(lambda _word: {}, str)
    found = Endpoints(program, recorder, demands, sleep=lambda _: None)
    names = ("allocs", "block", "goroutine", "heap", "mutex", "threadcreate")
    paths = [f"{PPROF}{name}" for name in (*names, "profile", "trace")]
    paths += [f"{PPROF}goroutine?debug=2", f"{PPROF}heap?debug=1", f"{PPROF}block?seconds=1"]
    monkeypatch.setattr(derive, "_CODE", "import os; os.kill(os.getpid(), 9)")
    with served(found, program) as asked:
        for path in (*paths, PAGE):
            reply = asked.get(path)
            assert reply.status == 500, path
            assert b"was ended by SIGKILL." in reply.body
            assert reply.headers["x-go-pprof"] == "1"
        monkeypatch.undo()
        assert asked.get(f"{PPROF}threadcreate?debug=1").status == 200
