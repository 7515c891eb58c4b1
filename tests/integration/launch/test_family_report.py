"""What the reading commands make of a real family of processes."""

import json

PROGRAM = """\
import os
import signal
for code in (0, 3, None):
    pid = os.fork()
    if not pid:
        if code is None:
            grandchild = os.fork()
            if not grandchild:
                os._exit(7)
            os.waitpid(grandchild, 0)
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(code)
    os.waitpid(pid, 0)
"""


def test_tree_and_ends(record) -> None:
    """Each child below its parent, with the code or signal that the parent was told."""
    trace = record(PROGRAM)
    report = json.loads(record.tracer("report", str(trace), "--json").stdout)
    rows = report["processes"]
    place = {row["process"]: n for n, row in enumerate(rows)}
    parents = [place.get(row["parent"]) for row in rows]
    assert parents == [None, 0, 0, 0, 3]
    ends = [(row["status"], row["signal"]) for row in rows]
    assert ends == [(None, None), (0, None), (3, None), (None, 9), (7, None)]
    assert report["health"]["children"] == []
    assert {row["process"] for row in report["threads"]} <= set(place)
    text = record.tracer("report", str(trace)).stdout
    assert "5 processes" in text
    assert len(text.splitlines()) <= 24
