"""The process that makes an answer: what it makes, and what it says when it cannot."""

import os
from pathlib import Path

import pytest

from tests.support.models import trace_file
from tests.support.stories.moment import moment
from viewer.endpoints import derive
from viewer.endpoints.derive import Deriver, NotDerived, Order

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
