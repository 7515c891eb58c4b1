"""The longest waits of a range, and the sentence about each wait."""

import json

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import Service
from tests.support.models import model_of
from tests.support.stories.waits import MS, every_trace, lock_convoy, pool
from viewer.server.answers import Answers
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

BLOCKED = 9  # the code of a step that blocks its loop


def asked(answers, name, **query):
    return json.loads(answers.routes[f"api/{name}"](query).body)


def test_all_kinds_compare(tmp_path):
    """Lock waits, calls and GIL waits are in one list, by what each kind lost at most."""
    found = asked(Answers(model_of(tmp_path, lock_convoy())), "waits")
    assert [(row["what"], row["who"], row["ns"] // MS) for row in found[:2]] == [
        ("lock", "worker-1", 99),
        ("sleep", "flush", 99),
    ]
    assert found[0]["count"] == 3
    assert "flush" in found[0]["behind"]
    assert [row["ns"] for row in found] == sorted((row["ns"] for row in found), reverse=True)


def test_who_has_nothing_to_do_does_not_count(tmp_path):
    """The workers of a pool wait for work most of the time."""
    found = asked(Answers(model_of(tmp_path, pool())), "waits")
    assert "SimpleQueue.get" not in {row["subject"] for row in found}


@pytest.mark.parametrize(("name", "data"), every_trace())
def test_part_inside_the_range(tmp_path, name, data):
    """Durations are of the part in the range, and each row is a slice that has a sentence."""
    path = tmp_path / "x.pftrace"
    path.write_bytes(data)
    model = build_model(read_trace(path))
    answers = Answers(model)
    half = max((model.end_ns - model.start_ns) // 2, 1)
    for query in ({}, {"from": "0", "to": str(half)}):
        for row in asked(answers, "waits", **query):
            assert 0 < row["ns"] <= min(row["whole_ns"], 2 * half + 1 if not query else half)
            assert row["ns"] <= row["total_ns"]
            told = asked(answers, "slice", group=row["group"], row=str(row["row"]))
            assert (told["start_ns"], told["ns"]) == (row["start_ns"], row["whole_ns"])
            assert told["why"]["text"].endswith(".")


def test_sentence_is_that_of_why(tmp_path):
    """The slice of a worst wait says what the list of worst waits says, but for the others."""
    answers = Answers(model_of(tmp_path, lock_convoy()))
    for wait in asked(answers, "why"):
        told = asked(answers, "slice", group=wait["group"], row=str(wait["row"]))
        assert wait["text"].startswith(told["why"]["text"])


def test_holders_that_took_turns_are_one(tmp_path):
    """The explanation of a wait behind twenty threads names them once, and still adds up."""
    trace = TraceBuilder(signals="locks")
    site = "/app/a.py:2 f"
    lock = trace.lock("Lock", site)
    waiter = trace.thread("waiter")
    workers = [trace.thread(f"worker-{n}") for n in range(20)]
    waiter.lock_wait(0, "Lock", lock=lock, site=site, owner=workers[0], owner_site=site)
    for n, worker in enumerate(workers):
        lock.hold(n * MS, (n + 1) * MS, worker, site)
    lock.hold(20 * MS, 21 * MS, waiter, site)
    waiter.end(20 * MS)
    answers = Answers(model_of(tmp_path, trace.ended(22 * MS)))
    told = asked(answers, "slice", group="threads", row="0")
    (cause,) = told["why"]["causes"]
    assert cause["ns"] == told["ns"] == 20 * MS
    assert "20 threads `worker-N`" in cause["text"]
    assert "20 threads `worker-N`" in told["why"]["text"]


def sleeps(thread, start, end):
    thread.sleep(start + MS, site="/app/service.py:11 hog").running(end - MS)


def test_what_a_step_did(tmp_path):
    """A step that blocks the loop says where its thread was, on both of its lanes."""
    service = Service()
    sleeps(service.thread, service.step(30 * MS), 30 * MS)
    answers = Answers(model_of(tmp_path, service.end()))
    for group in ("loops", "tasks"):
        lanes = answers.groups[group].lanes
        longest = max(
            (end - start, row)
            for start, end, row, code in zip(
                lanes.start_ns, lanes.end_ns, lanes.row, lanes.code, strict=True
            )
            if code == BLOCKED
        )
        told = asked(answers, "slice", group=group, row=str(longest[1]))
        (step,) = told["did"]
        assert (step["who"], step["ns"]) == ("hog", 30 * MS)
        assert [(part["text"], part["ns"]) for part in step["parts"]] == [
            ("asleep (service.py:11)", 28 * MS),
            ("computing (2×)", 2 * MS),
        ]
