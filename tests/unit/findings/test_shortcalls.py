"""Threads that spin in calls too short to be recorded; CPU samples name the call."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tests.support.models import model_of
from viewer.analysis.profiles.cpu import cpu_rows

WATCH = ("watch", "/app/reload.py", 12)
IS_ALIVE = ("BaseProcess.is_alive", "/usr/lib/python3.13/multiprocessing/process.py", 9)
CHECK = ("check", "/app/reload.py", 20)


def reloader(
    call="os.stat",
    asks=60,
    does=20,
    ns=800 * MS,
    life=0,
    name="reloader",
    joined=False,
    asker=None,
):
    """A thread asks, beside one that serves. `asks` of its samples are in the call."""
    trace = TraceBuilder(argv="reload.py", signals=SIGNALS)
    main = trace.thread("MainThread", 100).sleep(0)
    thread = main.native(0) if name == "MainThread" else trace.thread(name, 101)
    thread.running(0)
    samples = SampleBuilder(trace)
    for n in range(asks + does):
        at = n * ns // (asks + does)
        frames = (WATCH, (call, "", 0)) if n < asks else (CHECK,)
        if asker and n < asks + 15:
            frames = (WATCH, asker, *frames[1:])
        samples.add(thread, at, ("run", "/usr/lib/python3.13/threading.py", 1), *frames)
    end = ns + life + MS
    if life:
        thread.sleep(ns)
    if joined:
        main.native(MS).lock_wait(2 * MS, "Thread.join", lock=9, owner=thread)
        main.native(end + MS)
    thread.end(end)
    if name != "MainThread":
        main.end(end + 2 * MS)
    return trace.ended(end + 3 * MS)


def test_a_reloader_without_a_pause(tmp_path):
    (found,) = find_in(tmp_path, reloader())
    assert found.finding == "busy loop"
    assert found.text == (
        "`reloader` polls in `watch` (reload.py:12): it computes for 801 ms, 75 % of 80 CPU "
        "samples are in `os.stat`, one short call after the other without a pause. If it "
        "looks for changes, let it wait between checks, or be notified of them (inotify, "
        "`watchfiles`)."
    )
    assert found.evidence.site == "/app/reload.py:12 watch"


@pytest.mark.parametrize("name", ["reaper", "MainThread"])
def test_a_wait_for_a_child_that_is_asked(tmp_path, name):
    (found,) = find_in(tmp_path, reloader(call="os.waitpid", name=name))
    assert "Let the call wait, with a time-out, instead of asking again." in found.text


def test_a_function_that_only_asks_is_told_by_its_name(tmp_path):
    (found,) = find_in(tmp_path, reloader(call="os.waitpid", asker=IS_ALIVE))
    assert "94 % of that in polling calls (BaseProcess.is_alive, 75 of 80 CPU" in found.text
    assert "`join`" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 480 * MS}, id="not long"),
        pytest.param({"asks": 15, "does": 4}, id="few samples"),
        pytest.param({"asks": 39, "does": 41}, id="it does something with the answers"),
        pytest.param({"call": "os.write"}, id="it is no question"),
        pytest.param({"life": 800 * MS}, id="a part of its life"),
        pytest.param({"joined": True}, id="somebody waits for its end"),
        pytest.param({"name": "MainThread"}, id="the program does nothing else"),
    ],
)
def test_who_works_with_files(tmp_path, story):
    assert "busy loop" not in [one.finding for one in find_in(tmp_path, reloader(**story))]


def test_a_call_is_no_function_of_a_profile(tmp_path):
    """Its time is that of the function that calls it."""
    model = model_of(tmp_path, reloader())
    rows = {row.function: row.self_ns for row in cpu_rows(model)}
    assert rows["reload.watch"] == 600 * MS
    assert "os.stat" not in rows
