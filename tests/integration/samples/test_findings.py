"""Findings of real runs: every planted fault leads, and clean programs have none."""

import json

import pytest

from tests.support.programs import clean as clean_programs
from tests.support.programs import faulty as faulty_programs

pytestmark = pytest.mark.broad

# The leading finding, and what its sentence must name.
PLANTED = {
    "blocked_loop": ("loop blocked", ("`render_report`", "`sleep` (blocked_loop.py:38)")),
    "lock_convoy": ("lock convoy", ("lock_convoy.py:32", "`sleep` (lock_convoy.py:24)")),
    "gc_storm": (
        "GC in the hot path",
        ("interrupted `serve` (gc_storm.py:53)", "reference cycles"),
    ),
    # `make_key` has some 15 % of the few CPU samples, just enough to be named here.
    "data_processor": (
        "lock convoy",
        ("`worker-N`", "data_processor.py:38", "`rank` (data_processor.py:33"),
    ),
    "task_leak": (
        "task leak",
        (
            "`call_backend` (task_leak.py:26)",
            "of 900 created",
            "task_leak.py:36",
            "task_leak.py:28",
        ),
    ),
}


def findings(record, trace):
    process = record.tracer("report", str(trace), "--json", "--section", "findings")
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)["findings"]


@pytest.mark.parametrize("name", PLANTED)
def test_planted_fault_leads(record, sample, name):
    """The first finding is the planted one, with its place."""
    trace, _ = sample(f"{name}.py")
    found = findings(record, trace)
    kind, words = PLANTED[name]
    assert [row["finding"] for row in found[:1]] == [kind], found
    for word in words:
        assert word in found[0]["text"]
    assert found[0]["evidence"]["duration_ns"] > 0


def test_gil_hog(record, sample):
    """`compress` leads, unless the machine hardly let it run while it had the GIL."""
    trace, _ = sample("gil_hog.py")
    process = record.tracer("report", str(trace), "--json")
    assert process.returncode == 0, process.stderr
    report = json.loads(process.stdout)
    (waits,) = (row["gil_wait"] for row in report["threads"] if row["name"] == "responder")
    (held,) = (row for row in waits["held_by"] if row["name"] == "compress")
    found = report["findings"]
    if held["states"].get("preempted", 0) * 2 > held["ns"] and not found:
        return  # the kernel's doing
    assert found[0]["finding"] == "GIL hog"
    assert "`compress` hogs the GIL" in found[0]["text"]
    assert "`responder`" in found[0]["text"]


def test_data_processor_has_four_faults(record, sample):
    """The first lines lead to the convoy, both slow functions and the crowd of workers."""
    trace, _ = sample("data_processor.py")
    text = "\n".join(row["text"] for row in findings(record, trace))
    assert "together do the work of" in text
    assert "never exit" in text


@pytest.mark.parametrize("name", clean_programs.PROGRAMS)
def test_clean_program(record, name):
    """Clean programs cause no false alarm."""
    trace = record(clean_programs.PROGRAMS[name])
    assert findings(record, trace) == []


@pytest.mark.parametrize("name", faulty_programs.PROGRAMS)
def test_faulty_program(record, name):
    """The fault leads, and its sentence names the culprit."""
    program, kind, words = faulty_programs.PROGRAMS[name]
    trace = record(program)
    found = findings(record, trace)
    assert found
    assert found[0]["finding"] in ((kind,) if isinstance(kind, str) else kind), found
    for word in words:
        assert word in found[0]["text"]
