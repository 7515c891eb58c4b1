"""`tracer diff`: a change is found and noise is not, on traces by hand; its text and JSON."""

import io
import json
import random
from collections import Counter

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS
from tests.support.stories.waits import every_trace
from tests.support.validator.strict import read_strict
from tracer import cli
from tracer import schema as s
from viewer.analysis.diff import diff
from viewer.commands.diff import compare
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace


def service(
    seed=0, *, scale=1.0, steps=60, cpu=(40, 40), line=10, file="app.py", cached=False, busy=0
):
    """A task that computes for 1 ms, waits 5 ms, and is ready for 100 µs, give or take 10 %;
    a worker that sleeps for 2 ms and waits for a lock for 3 ms. `scale` makes all longer."""
    choose = random.Random(seed)
    trace = TraceBuilder(argv=file, signals=SIGNALS)
    main, worker = trace.thread("MainThread"), trace.thread("worker-1")
    loop, site = trace.loop(main), f"/app/{file}"
    handle = loop.task("handle", site=f"{site}:{line} handle")
    lock = trace.lock("Lock", f"{site}:{line + 5} work")

    def about(ns):
        return round(ns * scale * choose.uniform(0.9, 1.1))

    at = 0
    main.native(0)
    worker.native(0)
    samples = SampleBuilder(trace)
    for _ in range(steps):
        handle.ready(at, waker="timer")
        at += about(MS // 10)
        end = at + about(MS)
        handle.running(at).awaits(end, "sleep", site=f"{site}:{line + 1} handle")
        loop.step(handle, at, end)
        worker.sleep(at, site=f"{site}:{line + 4} work")
        took = at + about(2 * MS)
        worker.lock_wait(took, "Lock", lock=lock, site=f"{site}:{line + 5} work")
        worker.native(took + about(3 * MS))
        if cached:
            worker.io(took + 4 * MS, "os.stat", site=f"{site}:{line + 9} cached")
            worker.native(took + 5 * MS)
        if busy:
            worker.preempted(took + 6 * MS)
            worker.native(took + 6 * MS + busy)
        at = end + max(about(5 * MS), 8 * MS + busy)
    handle.ready(at).running(at).done(at + 1)
    loop.step(handle, at, at + 1)
    for end_of in (main, worker):
        end_of.end(at + 20 * MS)
    top = ("main", site, 30)
    for name, count in zip(("parse", "render"), cpu, strict=True):
        for n in range(count):
            samples.add(main, n * MS, top, (name, site, line + len(name)))
    return trace.ended(at + 21 * MS)


def compared(tmp_path, a, b):
    models = []
    for name, trace in (("a", a), ("b", b)):
        path = tmp_path / f"{name}.pftrace"
        path.write_bytes(trace.data())
        models.append(build_model(read_trace(path)))
    return diff(*models)


def told(found):
    """What is different: (verdict, what, name)."""
    return {
        (row.verdict, row.key.what, row.key.name)
        for row in found.rows
        if row.verdict not in ("same", "few")
    }


def test_identical_traces(tmp_path):
    """A trace does not differ from itself, and the text says so."""
    path = tmp_path / "a.pftrace"
    path.write_bytes(service().data())
    out = io.StringIO()
    compare(path, path, as_json=False, top=10, out=out)
    assert "\nNo difference beyond noise.\n" in out.getvalue()
    told = " ".join(out.getvalue().split())
    assert (
        "7 rows: 0 slower, 0 faster, 0 only in B, 0 only in A, 7 the same within noise, 0 "
        "with too few events (fewer than 8) to compare" in told
    )
    assert "over all 7 comparisons" in told


# What is compared, by the category and the name of the slices; awaits of locks are lock waits.
_COMPARED = {
    s.CAT_TASK: {s.READY: "ready", s.RUNNING: "running"},
    s.CAT_GIL: {s.GIL_WAIT: "GIL wait"},
    s.CAT_SLEEP: {s.SLEEP: "call"},
}
_STARTS = {s.CAT_TASK: "waits", s.CAT_LOCK: "waits", s.CAT_IO: "call"}


def slices_of(data):
    """How many slices of each kind a trace has."""
    found: Counter[str] = Counter()
    for event in read_strict(data).events:
        if event.type == s.TYPE_SLICE_BEGIN and s.ARG_CONTINUES not in event.args:
            exact = _COMPARED.get(event.category, {}).get(event.name)
            found[exact or _STARTS.get(event.category, "")] += 1
    del found[""]
    return found


@pytest.mark.parametrize(("name", "data"), every_trace())
def test_counts_add_up(tmp_path, name, data):
    """Each event of both traces is in exactly one row, whatever the other trace has."""
    made = []
    for n, content in enumerate((data, service(2).data())):
        path = tmp_path / f"{n}.pftrace"
        path.write_bytes(content)
        made.append((build_model(read_trace(path)), slices_of(content)))
    (a, in_a), (b, in_b) = made
    result = diff(a, b)
    for n, expected in enumerate((in_a, in_b)):
        found: Counter[str] = Counter()
        for row in result.rows:
            kind = "waits" if row.key.what in ("await", "lock wait") else row.key.what
            found[kind] += row.events[n] if kind != "cpu" else 0
        assert +found == expected
    assert sum(result.counts().values()) == len(result.rows)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("serve.py", "--port", "1"), ""),
        (("/other/checkout/serve.py", "--port", "1"), ""),
        (("serve.py", "--port", "2"), "A and B were started with different arguments: "),
        (("work.py", "--port", "1"), "A and B are different programs ("),
        (("-m", "serve"), "A and B are different programs ("),
    ],
)
def test_other_programs(tmp_path, argv, said):
    """A comparison of two programs says that it is one."""
    for name, words in (("a", ("serve.py", "--port", "1")), ("b", argv)):
        trace = TraceBuilder(argv=" ".join(words), signals=SIGNALS)
        trace.thread("MainThread").native(0).end(5 * MS)
        (tmp_path / name).write_bytes(trace.ended(6 * MS).data())
    out = io.StringIO()
    compare(tmp_path / "a", tmp_path / "b", as_json=False, top=10, out=out)
    assert said in out.getvalue()
    assert ("A and B" in out.getvalue()) == bool(said)


@pytest.mark.parametrize("seed", range(1, 6))
def test_noise(tmp_path, seed):
    """Another run of the same, 5 % slower, with other samples and fewer steps."""
    other = service(seed, scale=1.05, steps=50, cpu=(36, 45))
    assert told(compared(tmp_path, service(), other)) == set()


def test_everything_slower(tmp_path):
    """Half as slow again: each kind of duration is reported, with its change."""
    found = compared(tmp_path, service(), service(1, scale=1.5, cpu=(40, 90)))
    assert told(found) == {
        ("slower", "ready", "handle"),
        ("slower", "running", "handle"),
        ("slower", "call", "sleep"),
        ("slower", "lock wait", "Lock"),
        ("slower", "cpu", "render"),
    }
    lock = next(row for row in found.rows if row.key.what == "lock wait")
    assert lock.events == (60, 60)
    assert 1.45 < lock.mean_ns[1] / lock.mean_ns[0] < 1.55
    assert lock.impact_ns == (lock.mean_ns[1] - lock.mean_ns[0]) * 60
    assert lock.effect == 1.0
    assert found.rows[0].key.what == "cpu", "the largest impact first"
    assert [row.verdict for row in found.rows[5:]] == ["same"] * (len(found.rows) - 5)


def test_everything_faster(tmp_path):
    """The other way round."""
    found = compared(tmp_path, service(1, scale=1.5), service())
    assert {verdict for verdict, _, _ in told(found)} == {"faster"}


def test_moved_lines_are_the_same(tmp_path):
    """Code that moved, or a file with a new name, is still compared."""
    assert told(compared(tmp_path, service(), service(1, line=99))) == set()
    found = compared(tmp_path, service(), service(1, line=99, file="new.py"))
    assert told(found) == set()
    assert {row.verdict for row in found.rows} == {"same"}
    assert found.rows[0].site.startswith("/app/new.py:")


def test_new_and_gone(tmp_path):
    """What only one trace has."""
    found = compared(tmp_path, service(), service(1, cached=True))
    assert told(found) == {("new", "call", "os.stat")}
    assert found.rows[0].impact_ns == 60 * MS
    found = compared(tmp_path, service(1, cached=True), service())
    assert told(found) == {("gone", "call", "os.stat")}


def test_few_events(tmp_path):
    """Five events twice as long are no evidence."""
    found = compared(tmp_path, service(steps=5), service(1, steps=5, scale=2.0))
    assert told(found) == set()
    assert "few" in {row.verdict for row in found.rows}


def test_busier_machine(tmp_path):
    """Of a run that was preempted much more the text warns."""
    for name, trace in (("a", service()), ("b", service(1, busy=30 * MS))):
        (tmp_path / f"{name}.pftrace").write_bytes(trace.data())
    out = io.StringIO()
    compare(tmp_path / "a.pftrace", tmp_path / "b.pftrace", as_json=False, top=10, out=out)
    assert "B ran on a busier machine: it was preempted for 41 % of the time" in (
        " ".join(out.getvalue().split())
    )


def test_text(tmp_path, monkeypatch):
    """Tables of what changed, no wider than the terminal."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    for name, trace in (("a", service()), ("b", service(1, scale=1.5, cpu=(40, 90)))):
        (tmp_path / f"{name}.pftrace").write_bytes(trace.data())
    out = io.StringIO()
    compare(tmp_path / "a.pftrace", tmp_path / "b.pftrace", as_json=False, top=2, out=out)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert "a.pftrace  568 ms, " in lines[0]
    assert lines[3] == "Slower in B"
    assert lines[5].split()[:3] == ["render", "CPU", "(sampled)"]
    assert "×2.25" in lines[5]
    assert lines[6].split()[:3] == ["wait", "for", "Lock"]
    assert "×1.47" in lines[6]
    assert lines[7] == "  … and 3 rows more (--top)"


def test_json(tmp_path, capsys):
    """Stable keys; pairs are A, B."""
    for name, trace in (("a", service()), ("b", service(1, scale=1.5))):
        (tmp_path / f"{name}.pftrace").write_bytes(trace.data())
    assert cli.main(["diff", *(str(tmp_path / f"{n}.pftrace") for n in "ab"), "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert list(body) == [
        "schema", "a", "b", "programs", "comparisons", "verdicts", "preempted_ns",
        "wanted_cpu_ns", "rows", "growth",
    ]  # fmt: skip
    assert body["comparisons"] == 7
    assert sum(body["verdicts"].values()) == len(body["rows"])
    assert body["programs"] == "same"
    row = next(row for row in body["rows"] if row["what"] == "ready")
    assert list(row) == [
        "what", "name", "place", "site", "via", "verdict", "events", "total_ns", "mean_ns",
        "p50_ns", "p99_ns", "max_ns", "impact_ns", "effect", "p",
    ]  # fmt: skip
    assert (row["name"], row["place"]) == ("handle", "app.py handle")
    assert (row["site"], row["verdict"]) == ("/app/app.py:10 handle", "slower")
    assert row["events"] == [61, 61]
    cpu = next(row for row in body["rows"] if row["what"] == "cpu")
    assert cpu["events"] == [40, 40]
    assert cpu["effect"] is None
    assert "p50_ns" not in cpu


def test_unreadable(tmp_path, capsys):
    """One line and exit code 1."""
    assert cli.main(["diff", str(tmp_path / "none"), str(tmp_path / "none")]) == 1
    assert "no such file" in capsys.readouterr().err
