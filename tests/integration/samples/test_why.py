"""Real runs of the samples: causes add up to the wait, the planted culprit is named first."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SAMPLES, Recorder
from tests.support.samples import Samples

pytestmark = pytest.mark.broad

NAMES = sorted(path.name for path in SAMPLES.glob("*.py"))


def why(record: Recorder, trace: Path, *options: str) -> list[dict[str, Any]]:
    process = record.tracer("why", str(trace), "--json", *options)
    assert process.returncode == 0, process.stderr
    found: list[dict[str, Any]] = json.loads(process.stdout)["waits"]
    return found


def adds_up(causes: list[dict[str, Any]], ns: int) -> None:
    assert sum(cause["ns"] for cause in causes) == ns
    for cause in causes:
        if cause["parts"]:
            adds_up(cause["parts"], cause["ns"])


def everything(causes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for cause in causes for each in (cause, *everything(cause["parts"]))]


@pytest.mark.parametrize("name", NAMES)
def test_causes_add_up_on_real_runs(record: Recorder, sample: Samples, name: str) -> None:
    trace, _ = sample(name)
    waits = why(record, trace, "--worst", "50")
    assert waits
    for wait in waits:
        adds_up(wait["causes"], wait["ns"])
        latest = wait["path"][0]
        assert (latest["start_ns"], latest["end_ns"]) == (wait["start_ns"], wait["end_ns"])
    middle = waits[0]["start_ns"] + waits[0]["ns"] // 2
    for wait in why(record, trace, "--at", f"{middle}ns", "--worst", "50"):
        assert wait["start_ns"] <= middle < wait["end_ns"]
        adds_up(wait["causes"], wait["ns"])


def lead(record: Recorder, trace: Path) -> dict[str, Any]:
    return why(record, trace, "--worst", "1")[0]


def test_blocked_loop_leads_with_render_report(record: Recorder, sample: Samples) -> None:
    wait = lead(record, sample("blocked_loop.py").trace)
    assert wait["what"] == "ready"
    assert re.search(r"the loop ran `render_report` \(blocked_loop\.py:33\)", wait["text"])
    assert "asleep (blocked_loop.py:38)" in wait["text"]


def test_lock_convoy_leads_with_the_lock_and_what_its_owners_do(
    record: Recorder, sample: Samples
) -> None:
    wait = lead(record, sample("lock_convoy.py").trace)
    assert (wait["what"], wait["subject"]) == ("lock", "Lock")
    assert "acquired at lock_convoy.py:32" in wait["text"]
    assert "asleep (lock_convoy.py:24)" in wait["text"]


def test_gil_hog_leads_with_compress(record: Recorder, sample: Samples) -> None:
    wait = lead(record, sample("gil_hog.py").trace)
    assert wait["what"] == "gil"
    assert (wait["causes"][0]["kind"], wait["causes"][0]["who"]) == ("thread", "compress")


def test_gc_storm_names_the_collector_inside_serve(record: Recorder, sample: Samples) -> None:
    # On a busy machine the waits behind preempted steps may cost more: not always the first.
    found = why(record, sample("gc_storm.py").trace, "--worst", "10")
    wait = next(wait for wait in found if wait["causes"][0]["kind"] == "gc")
    assert (wait["what"], wait["waiter"]["coro"]) == ("ready", "serve")
    assert {part["who"] for part in wait["causes"][0]["parts"]} == {"serve"}


def test_data_processor_leads_with_the_lock_around_all_the_work(
    record: Recorder, sample: Samples
) -> None:
    wait = lead(record, sample("data_processor.py").trace)
    assert (wait["what"], wait["subject"]) == ("lock", "Lock")
    # The number depends on who is quicker: the thread that releases, or those that wait.
    assert wait["alike"]["count"] > 19
    assert wait["alike"]["total_ns"] > 10**9
    assert "acquired at data_processor.py:38" in wait["text"]
    hot = [s["function"] for c in everything(wait["causes"]) for s in c["samples"]]
    assert {"data_processor.rank", "data_processor.make_key"} & set(hot)


def test_task_leak_leads_with_the_futures_nobody_ends(
    record: Recorder, sample: Samples
) -> None:
    wait = lead(record, sample("task_leak.py").trace)
    assert (wait["what"], wait["subject"]) == ("await", "future")
    assert wait["waiter"]["coro"] == "call_backend"
    assert (wait["acquired"], wait["alike"]["count"]) == (False, 300)


def test_pipeline_leads_with_full_queue_and_semaphore(
    record: Recorder, sample: Samples
) -> None:
    found = why(record, sample("pipeline.py").trace, "--worst", "6")
    # Only of what it awaits: a task may also be ready while the machine is busy.
    awaits = [wait["subject"] for wait in found if wait["what"] == "await"]
    assert set(awaits[:2]) == {"Queue.put", "Semaphore"}
