"""`go tool pprof` reads all of our profiles in every way, without a warning."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.builder.heap import Heap
from tests.support.builder.trace import TraceBuilder
from tests.support.stories.memory import memory
from tests.support.stories.moment import moment
from tests.support.stories.profiles import waits
from tests.support.stories.waits import profiled
from viewer.analysis.profiles.profile import totals
from viewer.analysis.profiles.waits import PROFILES
from viewer.commands.profiles import profile_of, write_profile
from viewer.render.formats.go_text import render_profile
from viewer.render.formats.pprof import render_pprof

GO = shutil.which("go")
TIMEOUT_S = 120
GOLDEN = Path(__file__).parents[2] / "golden" / "go"
SHOWS = ("-top", "-traces", "-tags", "-peek=.", "-list=.", "-tree", "-raw")

pytestmark = [
    pytest.mark.go,
    pytest.mark.skipif(GO is None, reason="needs Go's pprof: apt-get install golang-go"),
]


def pprof(*words: str) -> str:
    """The output of pprof; a warning on stderr is a failure."""
    assert GO is not None
    done = subprocess.run(
        [GO, "tool", "pprof", *words],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("Generating")]
    assert (done.returncode, said) == (0, [])
    return done.stdout


_LABELS = {
    **{"sched": "coroutine", "mutex": "kind", "goroutine": "state"},
    "threadcreate": "site",
}


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The files that the hand-made traces name, so that -list finds them."""
    directory = tmp_path / "sources"
    directory.mkdir()
    for name in (
        "pool",
        "serve",
        "hog",
        "client",
        "prog",
        "text",
        "threading",
        "cache",
        "main",
    ):
        text = "".join(f"# line {n} of {name}\n" for n in range(1, 1100))
        (directory / f"{name}.py").write_text(text)
    return directory


@pytest.mark.parametrize("show", SHOWS)
@pytest.mark.parametrize(
    ("type_", "story", "function", "total"),
    [
        ("cpu", profiled, "prog.work", "1000ms"),
        ("wall", waits, "pool.Pool.take", "20ms"),
        ("sched", waits, "Future.set_result", "6ms"),
        ("block", waits, "pool.Pool.take", "19ms"),
        ("mutex", waits, "hog.hog", "17ms"),
        ("io", waits, "client.client", "11ms"),
        ("gc", waits, "GC gen2", "4ms"),
        ("heap", memory, "cache.Cache.fill", "292.97kB"),
        ("allocs", memory, "cache.Cache.fill", "449.22kB"),
        ("goroutine", moment, "asyncio.locks.Lock.acquire", "12"),
        ("threadcreate", moment, "threading.Thread.start", "4"),
    ],
)
def test_every_type(tmp_path, sources, type_, story, function, total, show):
    """Totals, names and labels are as intended."""
    trace = tmp_path / "x.pftrace"
    trace.write_bytes(story().data())
    path = write_profile(trace, type_, None, force=False)
    found = ("-source_path", str(sources), "-trim_path", "/app:/usr/lib/python3.13")
    text = pprof(show, *found, path)
    if show == "-list=." and type_ == "gc":
        assert "Total:" in text  # a pause belongs to no file
        return
    if show != "-tags":
        assert function in text
    if show == "-top":
        assert f" {total} total" in text
    if show == "-tags":
        assert _LABELS.get(type_, "thread") in text
    if show == "-list=." and type_ == "mutex":
        assert "4:# line 4 of hog" in text


@pytest.mark.parametrize(
    ("type_", "story", "total"),
    [
        ("goroutine", moment, "12"),
        ("threadcreate", moment, "4"),
        ("block", waits, "19ms"),
        ("mutex", waits, "17ms"),
        ("heap", memory, "292.97kB"),
        ("allocs", memory, "292.97kB"),
    ],
)
def test_text_forms(tmp_path, type_, story, total):
    """Go's pprof reads them like Go's own, with the same totals."""
    (tmp_path / "x.pftrace").write_bytes(story().data())
    profile = profile_of(tmp_path / "x.pftrace", type_)
    text = tmp_path / "x.txt"
    text.write_text(render_profile(type_, profile))
    assert GO is not None
    done = subprocess.run(
        [GO, "tool", "pprof", "-top", str(text)],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=True,
    )  # fmt: skip
    assert f" {total} total" in done.stdout


def test_every_type_is_tried():
    """No type of profile is missing above."""
    marks = test_every_type.pytestmark
    rows = next(mark.args[1] for mark in marks if mark.args[0] != "show")
    assert {row[0] for row in rows} == set(PROFILES)


def test_named_like_code_of_the_interpreter(record: Recorder, tmp_path: Path) -> None:
    """<module>, <lambda>, <locals> keep their names; a recorded program's lines are there."""
    trace = record(
        "import time\n"
        "spin = lambda seconds: [None for _ in iter(time.thread_time, 0) if\n"
        "                        _ > seconds and next(iter(()))]\n"
        "def burn():\n    until = time.thread_time() + 0.3\n"
        "    while time.thread_time() < until: pass\n"
        "class Outer:\n    class Inner:\n        def run(self): (lambda: burn())()\n"
        "Outer.Inner().run()\n",
        options=("--cpu-hz", "1000"),
    )
    path = write_profile(trace, "cpu", None, force=False)
    top = pprof("-top", path)
    for name in ("<module>", "Outer.Inner.run", "Outer.Inner.run.<locals>.<lambda>", "burn"):
        assert f"program0.{name}" in top
    assert "while time.thread_time() < until: pass" in pprof("-list=burn", path)


@pytest.mark.broad
def test_tags_tell_tasks_apart(record: Recorder) -> None:
    """Samples can be shown by task."""
    trace = record(
        "import asyncio, time\n"
        "def burn(s):\n    until = time.thread_time() + s\n"
        "    while time.thread_time() < until: pass\n"
        "async def part(s):\n"
        "    for _ in range(10):\n        burn(s / 10)\n        await asyncio.sleep(0)\n"
        "async def main():\n"
        "    await asyncio.gather(asyncio.create_task(part(0.3), name='small'),\n"
        "                         asyncio.create_task(part(0.9), name='large'))\n"
        "asyncio.run(main())\n",
        options=("--cpu-hz", "1000"),
    )
    profile = profile_of(trace, "cpu")
    by_task: dict[str | int, int] = {}
    for sample in profile.samples:
        task = dict(sample.labels).get("task", "")
        by_task[task] = by_task.get(task, 0) + sample.values[-1]
    whole = by_task["small"] + by_task["large"]
    # A quarter of 60 random draws on a busy machine, otherwise of 300: within 5 sigma.
    assert 0 < by_task["small"] / whole < 0.53
    tags = pprof("-tags", write_profile(trace, "cpu", None, force=False))
    assert "large" in tags
    assert "coroutine: Total" in tags
    assert "large" in pprof(
        "-top", "-tagfocus=large", write_profile(trace, "cpu", None, force=False)
    )


def test_go_profiles_are_read_by_us(tmp_path: Path) -> None:
    """A profile that went through Go's own writer is the same profile."""
    trace = tmp_path / "x.pftrace"
    trace.write_bytes(profiled().data())
    ours = profile_of(trace, "cpu")
    (tmp_path / "ours.pprof").write_bytes(render_pprof(ours))
    theirs = tmp_path / "theirs.pprof"
    pprof("-proto", "-output", str(theirs), str(tmp_path / "ours.pprof"))
    read = profile_of(theirs, "cpu")
    assert sorted(read.samples, key=repr) == sorted(ours.samples, key=repr)
    assert read.types == ours.types


@pytest.mark.parametrize(
    ("name", "unit", "ns_or_bytes"),
    [("cpu", "ms", 1e6), ("mutex", "ms", 1e6), ("allocs", "kB", 1024)],
)
def test_top_of_go_profiles_agrees(name: str, unit: str, ns_or_bytes: float) -> None:
    """For a profile that Go wrote, each function's flat and cumulative values match Go's."""
    path = GOLDEN / f"{name}.pprof"
    words = ("-top", f"-unit={unit}", "-nodefraction=0", "-edgefraction=0", "-nodecount=10000")
    line = rf"\s*(-?[\d.]+)(?:{unit})? +[\d.]+% +[\d.]+% +(-?[\d.]+)(?:{unit})? +[\d.]+%  (.*)"
    theirs = {
        found[3].removesuffix(" (inline)").removesuffix(" (partial-inline)"): (
            found[1],
            found[2],
        )
        for found in map(re.compile(line).fullmatch, pprof(*words, str(path)).splitlines())
        if found
    }
    ours = {row.function.function: row for row in totals(profile_of(path, "cpu").samples)}
    assert theirs.keys() <= ours.keys()
    assert len(theirs) > 1
    for function, (flat, cumulative) in theirs.items():
        for shown, exact in (
            (flat, ours[function].flat),
            (cumulative, ours[function].cumulative),
        ):
            assert abs(float(shown) - exact / ns_or_bytes) <= 0.00501, function


def heap_file(folder: Path, name: str, blocks: int, freed: int = 0) -> str:
    """A profile of so many blocks of 100 kB, of which the first were freed."""
    trace = TraceBuilder(signals="heap")
    trace.thread("MainThread", trace.pid)
    heap = Heap(trace)
    for n in range(blocks):
        block = heap.alloc(1 + n, 100_000, "/app/cache.py:7 fill")
        if n < freed:
            heap.free(100 + n, block)
    path = folder / f"{name}.pftrace"
    path.write_bytes(trace.ended(1_000_000).data())
    return write_profile(path, "heap", None, force=False)


def total(*words: str) -> str:
    """What pprof says all of it is."""
    found = re.search(r" ([-\w.]+) total", pprof("-top", *words))
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("index", "all_", "more"),
    [
        ("inuse_space", "195.31kB", "97.66kB"),
        ("inuse_objects", "2", "1"),
        ("alloc_space", "292.97kB", "195.31kB"),
        ("alloc_objects", "3", "2"),
    ],
)
def test_the_numbers_of_a_heap(tmp_path: Path, index: str, all_: str, more: str) -> None:
    """Bytes and blocks, live and allocated; and how much more than in another profile."""
    now = heap_file(tmp_path, "now", blocks=3, freed=1)
    before = heap_file(tmp_path, "before", blocks=1)
    assert total(f"-sample_index={index}", now) == all_
    assert total(f"-sample_index={index}", f"-base={before}", now) == more
