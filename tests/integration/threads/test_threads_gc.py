"""Threads are recorded from start to exit, and so is every collection."""

import _thread
import contextvars
import functools
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.recordings import join_to_the_end, record_here
from tests.support.trace_processor import open_trace
from tests.support.validator.strict import read_strict
from tracer import schema as s


def test_threads(tmp_path: Path) -> None:
    """A thread has name, kernel id, exit, and an arrow from start to its first `running`."""
    path = tmp_path / "t.pftrace"
    tids: list[int] = []

    def work() -> None:
        tids.append(threading.get_native_id())
        threading.current_thread().name = "renamed"

    def run() -> None:
        thread = threading.Thread(target=work, name="first name")
        thread.start()
        join_to_the_end(thread)

    record_here(run, path)
    with open_trace(path) as tp:
        rows = tp.query(
            """select s.name, t.tid, t.name as thread from slice s
               join thread_track k on s.track_id = k.id join thread t using (utid)
               where s.category = 'thread' and s.dur = 0 order by s.ts""",
        )
        arrows = tp.query(
            """select a.name as out, b.name as into_ from flow f
               join slice a on f.slice_out = a.id join slice b on f.slice_in = b.id
                   where a.category = 'thread'""",
        )
    # A thread of an earlier test may end in here: the system is told later than who joined it.
    rows = [row for row in rows if row["tid"] in (threading.get_native_id(), *tids)]
    assert [(row["name"], row["thread"]) for row in rows] == [
        (s.THREAD_START, "MainThread"),
        (s.THREAD_STARTED, "renamed"),
        (s.THREAD_EXIT, "renamed"),
    ]
    assert rows[1]["tid"] == rows[2]["tid"] == tids[0]
    assert arrows == [{"out": s.THREAD_START, "into_": s.RUNNING}]
    (start,) = (e for e in read_strict(path.read_bytes()).events if e.name == s.THREAD_START)
    line = run.__code__.co_firstlineno + 2
    assert start.args[s.ARG_SITE] == f"{__file__}:{line} {run.__qualname__}"
    assert str(start.args[s.ARG_STACK]).split("\n")[1] == start.args[s.ARG_SITE]


@pytest.mark.parametrize("depth", [0, 200])
@pytest.mark.parametrize("error", [KeyError, SystemExit])
def test_a_thread_that_fails(tmp_path: Path, monkeypatch, error: type, depth: int) -> None:
    """It says so where it ends, with the line that raised; SystemExit is just an end."""
    path, seen = tmp_path / "t.pftrace", list[type]()
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))

    def fail(left: int) -> None:
        if left:
            fail(left - 1)
        raise error("row")

    def run() -> None:
        thread = threading.Thread(target=fail, args=(depth,))
        thread.start()
        join_to_the_end(thread)

    record_here(run, path)
    assert seen == [error]
    events = read_strict(path.read_bytes()).events
    found = [event for event in events if event.name.startswith(s.FAILED_PREFIX)]
    if error is SystemExit:
        assert not found
        return
    (failed,) = found
    (exited,) = (e for e in events if e.name == s.THREAD_EXIT and e.track == failed.track)
    assert (failed.name, failed.category) == ("failed: KeyError", s.CAT_THREAD)
    assert failed.time_ns <= exited.time_ns
    line = fail.__code__.co_firstlineno + 3
    assert failed.args[s.ARG_SITE] == f"{__file__}:{line} {fail.__qualname__}"
    stack = str(failed.args[s.ARG_STACK]).split("\n")
    assert (stack[0], stack[-1] == s.FRAME_TRUNCATED) == (failed.args[s.ARG_SITE], depth > 0)


def test_a_program_without_an_excepthook(tmp_path: Path, monkeypatch) -> None:
    """Nothing of the recorder depends on it."""
    path = tmp_path / "t.pftrace"
    monkeypatch.setattr(threading, "excepthook", None)
    record_here(lambda: None, path)
    assert s.HOOK_DISABLED not in [e.name for e in read_strict(path.read_bytes()).events]


def test_threads_without_threading(tmp_path: Path) -> None:
    """A thread started by _thread gets a track once it records something."""
    done = _thread.allocate_lock()
    done.acquire()

    def work() -> None:
        gc.collect()
        done.release()

    def run() -> None:
        _thread.start_new_thread(work, ())
        done.acquire()

    path = tmp_path / "t.pftrace"
    record_here(run, path)
    begun = [e for e in read_strict(path.read_bytes()).events if e.name == "GC gen2"]
    # on the GC track and on its thread, there in one piece for each state
    assert len({event.track for event in begun}) == 2


def test_collections_that_are_called_for(tmp_path: Path) -> None:
    """They name the caller, also across a failing call; the interpreter's own do not."""

    def run() -> None:
        gc.collect(1)
        with pytest.raises(ValueError, match="generation"):
            gc.collect(9)
        kept: list[object] = []
        before = gc.get_stats()[0]["collections"]
        gc.enable()
        while gc.get_stats()[0]["collections"] == before:
            kept.append([])

    path = tmp_path / "t.pftrace"
    gc.disable()  # otherwise the interpreter's own may happen before `run`
    try:
        record_here(run, path)
    finally:
        gc.enable()
    trace = read_strict(path.read_bytes())
    begun = [e for e in trace.events if e.category == s.CAT_GC and s.ARG_GENERATION in e.args]
    first = run.__code__.co_firstlineno + 1
    own = {(e.name, e.args[s.ARG_SITE]) for e in begun if s.ARG_EXPLICIT in e.args}
    assert own == {("GC gen1", f"{__file__}:{first} {run.__qualname__}")}
    assert {s.ARG_SITE in e.args for e in begun if e.name == "GC gen0"} == {False}
    assert gc.collect.__name__ == "collect"


def test_threads_from_before(tmp_path: Path) -> None:
    """A thread that runs when the recording begins is known by its name."""
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        go.wait()
        gc.collect()
        done.set()

    thread = threading.Thread(target=work, name="elder")
    thread.start()

    def run() -> None:
        go.set()
        done.wait()

    path = tmp_path / "t.pftrace"
    record_here(run, path)
    thread.join()
    with open_trace(path) as tp:
        names = [row["name"] for row in tp.query("select name from thread")]
    assert "elder" in names


def test_every_collection(tmp_path: Path) -> None:
    """There are as many slices as gc.callbacks saw, with generation and counts."""
    seen: list[tuple[int, int]] = []

    def watch(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            seen.append((info["generation"], info["collected"]))

    class Cycle:
        def __init__(self) -> None:
            self.me = self

    def run() -> None:
        gc.callbacks.append(watch)
        for generation in (0, 1, 2):
            for _ in range(10):
                Cycle()
            gc.collect(generation)
        gc.callbacks.remove(watch)

    path = tmp_path / "t.pftrace"
    gc.disable()  # otherwise an automatic one may happen before or after `run`
    try:
        record_here(run, path)
    finally:
        gc.enable()
    events = [e for e in read_strict(path.read_bytes()).events]
    tracks: dict[int, list[tuple[int, int]]] = {}
    generation = 0
    for event in events:
        if event.category == s.CAT_GC:
            generation = int(event.args[s.ARG_GENERATION])
        elif s.ARG_COLLECTED in event.args:
            row = (generation, int(event.args[s.ARG_COLLECTED]))
            tracks.setdefault(event.track, []).append(row)
    assert len(tracks) == 2
    for rows in tracks.values():
        assert rows == seen


def test_names_of_jobs(tmp_path: Path) -> None:
    """A job that runs in a context is the function that it calls there."""

    def look() -> None:
        pass

    def work() -> None:
        run = contextvars.copy_context().run
        with ThreadPoolExecutor(1) as pool:
            pool.submit(look).result()
            pool.submit(run, look).result()
            pool.submit(run, functools.partial(look)).result()
            pool.submit(run, len, ()).result()

    record_here(work, tmp_path / "t.pftrace")
    events = read_strict((tmp_path / "t.pftrace").read_bytes()).events
    named = [str(event.args["name"]).split(".")[-1] for event in events if event.name == s.RUN]
    assert named == ["look", "look", "look", "len"]
