"""The report of each sample with threads names what was planted in it, with its place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SAMPLES, Recorder
from tests.support.samples import Samples

Row = dict[str, Any]


def report(record: Recorder, trace: Path) -> dict[str, Any]:
    process = record.tracer("report", str(trace), "--json")
    assert process.returncode == 0, process.stderr
    answer: dict[str, Any] = json.loads(process.stdout)
    return answer


def place(name: str, text: str, function: str) -> str:
    """The place, as in a report, of the one line of a sample with this text."""
    lines = (SAMPLES / name).read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if text in line]
    return f"{SAMPLES / name}:{number} {function}"


def thread_of(found: dict[str, Any], name: str) -> Row:
    rows: list[Row] = [row for row in found["threads"] if row["name"] == name]
    (row,) = rows
    return row


def assert_leads(found: dict[str, Any], site: str) -> Row:
    """The lock taken there has the most waiting; all its waiters and owners are there."""
    row: Row = found["locks"][0]
    assert row["kind"] == "Lock"
    assert row["site"] == site
    assert not row["idle"]
    for who in ("holders", "waiters"):
        assert {each["site"] for each in row[who]} == {site}, who
        assert all(each["who"].startswith("worker-") for each in row[who])
    assert sum(each["ns"] for each in row["waited_for"]) == row["wait_ns"]["total"]
    # The holder is known, or there was none: a woken thread may take a while to run.
    assert {each["kind"] for each in row["waited_for"]} <= {"owner", "free"}
    owners = {each["who"] for each in row["waited_for"] if each["kind"] == "owner"}
    assert owners
    assert owners <= {each["who"] for each in row["holders"]}
    return row


def test_lock_convoy(record: Recorder, sample: Samples) -> None:
    trace, said = sample("lock_convoy.py")
    found = report(record, trace)
    row = assert_leads(found, place("lock_convoy.py", "with table_lock:", "work"))
    measured = re.search(r"lock: ([\d.]+) ms", said)
    assert measured is not None, said
    # The program's clock is read before the wait and after it, in 80 places: it counts more.
    assert row["wait_ns"]["total"] <= float(measured[1]) * 1e6
    assert {each["who"] for each in row["holders"]} == {"worker-N"}
    assert [group["threads"] for group in found["thread_groups"]
            if group["name"] == "worker-N"] == [4]  # fmt: skip
    (slow,) = [each for each in found["io"] if each["callable"] == "sleep"]
    assert slow["site"] == place("lock_convoy.py", "time.sleep(WRITE_S)", "write_slowly")
    assert slow["count"] == 80


def test_gil_hog(record: Recorder, sample: Samples) -> None:
    """The responder's waits for the GIL are for `compress`, but for what nobody had it."""
    trace, _ = sample("gil_hog.py")
    found = report(record, trace)
    responder, hog = thread_of(found, "responder"), thread_of(found, "compress")
    waits = responder["gil_wait"]
    first = waits["held_by"][0]
    assert (first["name"], first["tid"]) == ("compress", hog["tid"])
    assert sum(first["states"].values()) == first["ns"]
    assert first["ns"] > responder["gil_wait_ns"]["total"] / 2
    parts = sum(each["ns"] for each in waits["held_by"]) + waits["free_ns"]
    assert parts + waits["unknown_ns"] == responder["gil_wait_ns"]["total"]
    assert responder["worst_gil_wait"]["held_by"][0]["name"] == "compress"
    assert responder["gil_wait_ns"]["total"] > hog["gil_wait_ns"]["total"]
    calls = {each["callable"]: each["site"] for each in found["io"]}
    assert calls["socket.recv"] == place("gil_hog.py", "server.recv(64):", "respond")
    busiest = max(found["cpu"], key=lambda each: each["self_ns"])
    assert busiest["function"].endswith("compress")


@pytest.mark.parametrize(
    ("callable_", "text", "function"),
    [
        ("os.fsync", "os.fsync(file.fileno())", "write_file"),
        ("socket.recv", "here.recv(64)", "talk"),
        ("os.waitpid", 'subprocess.run(["sleep"', "run_command"),
        ("sqlite3.Connection.execute", 'database.execute("create', "query"),
    ],
)
def test_io_mix(
    record: Recorder, sample: Samples, callable_: str, text: str, function: str
) -> None:
    trace, said = sample("io_mix.py")
    found = report(record, trace)
    asked = re.search(rf"{re.escape(callable_)}: (\d+)", said)
    assert asked is not None, said
    rows = [row for row in found["io"] if row["callable"] == callable_]
    site = place("io_mix.py", text, function)
    (row,) = [row for row in rows if row["site"] == site]
    assert 0 < row["count"] <= int(asked[1])  # what arrived at once was no wait
    if callable_ in ("os.waitpid", "sqlite3.Connection.execute"):
        assert row["count"] == int(asked[1])


@pytest.mark.broad
def test_data_processor(record: Recorder, sample: Samples) -> None:
    trace, said = sample("data_processor.py")
    found = report(record, trace)
    row = assert_leads(found, place("data_processor.py", "with processing:", "process"))
    workers = [each for each in found["threads"] if each["name"].startswith("worker-")]
    count = re.search(r"by (\d+) workers, (\d+) still", said)
    assert count is not None, said
    assert len(workers) == int(count[1]) == int(count[2])
    assert row["waits"] > 0
    # Two faults are functions that compute; they lead the profile.
    own: dict[str, int] = {}
    for each in found["cpu"]:
        if each["file"] == str(SAMPLES / "data_processor.py"):
            name = each["function"].removeprefix("data_processor.").split(".")[0]
            own[name] = own.get(name, 0) + each["self_ns"]
    assert set(sorted(own, key=lambda name: -own[name])[:2]) == {"rank", "make_key"}
