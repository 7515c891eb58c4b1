"""The local server: whom it refuses, and that its answers fit together."""

import http.client
import json
import signal
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of, trace_file
from tests.support.serving import ask, served
from tests.support.stories.waits import MS, every_trace, gil_hog, lock_convoy, profiled
from tracer.cli import main
from tracer.errors import UsageError
from viewer.server.answers import Answers
from viewer.server.http import HOST, BadQuery, Reply, Site
from viewer.server.perfetto import find_ui, ui_routes
from viewer.server.site import make_site, static_files
from viewer.server.within import within
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace


@pytest.fixture
def server(tmp_path):
    site = Site({"": lambda query: Reply("text/plain", str(dict(query)).encode())}, "secret")
    site.routes["deep/file.js"] = lambda _query: Reply("text/javascript", b"1")
    with served(site) as running:
        yield running


def test_answers(server):
    """The right host and token get what the table has, under a policy, never cached."""
    status, headers, body = ask(server, "/secret/?a=b")
    assert (status, body) == (200, b"{'a': 'b'}")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers
    assert ask(server, "/secret/deep/file.js")[2] == b"1"


@pytest.mark.parametrize("host", ["", "localhost", "evil.example", HOST, "[::1]:80"])
def test_other_hosts_are_refused(server, host):
    """A name that was rebound to 127.0.0.1 gets nothing; nor does one without a port."""
    assert ask(server, "/secret/", host=host)[0] == 403


def test_two_hosts_are_refused(server):
    """Not even when one of them is right."""
    connection = http.client.HTTPConnection(HOST, server.server_port, timeout=60)
    connection.putrequest("GET", "/secret/")
    connection.putheader("Host", "evil.example")
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


def test_other_sites_are_refused(server):
    """A page elsewhere that learned the address cannot embed or fetch it."""
    assert ask(server, "/secret/", Sec_Fetch_Site="cross-site")[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/secre/",
        "/secrets/",
        "/./secret/",
        "/secret",
        "/SECRET/",
        "/%73ecret/",
        "/%C3%A9/",
    ],
)
def test_other_tokens_are_refused(server, path):
    """Only the exact token opens."""
    assert ask(server, path)[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "../../../../etc/passwd",
        "..",
        "%2e%2e/%2e%2e/etc/passwd",
        "deep/../deep/file.js",
        "deep/",
        "/etc/passwd",
        "deep\\file.js",
        "deep/file.js%00",
        "file:///etc/passwd",
    ],
)
def test_paths_are_entries_of_a_table(server, path):
    """Nothing that is not in the table exists, however it is spelt."""
    assert ask(server, f"/secret/{path}")[0] == 404


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT"]
)
def test_only_get(server, method):
    """Nothing can be changed, and a preflight is not answered."""
    status, headers, _ = ask(server, "/secret/", method=method)
    assert (status, headers["Allow"]) == (405, "GET")


def test_own_faults_are_told(server, capsys):
    """A question that breaks us is answered all the same, and shows in the terminal."""
    server.site.routes["bad"] = lambda query: Reply("text/plain", query["none"])
    status, _, body = ask(server, "/secret/bad")
    assert (status, body) == (500, b"KeyError('none')")
    assert "KeyError" in capsys.readouterr().err


def test_only_this_machine(server):
    """It listens on the loopback address and nowhere else."""
    assert server.server_address[0] == "127.0.0.1"


def test_tokens_differ():
    """Each server has its own, too long to guess."""
    tokens = {Site().token for _ in range(10)}
    assert len(tokens) == 10
    assert min(map(len, tokens)) >= 20


BAD_QUESTIONS = (
    "api/tile",
    "api/tile?group=x",
    "api/tile?group=threads&lanes=99&level=1&index=0",
    "api/slice?group=threads&row=-1",
    "api/slice?group=threads&row=99999",
    "api/report?from=5&to=3",
)


def test_whole_site(tmp_path):
    """The page, its modules, its answers and the trace are there; a bad question is 400."""
    path = trace_file(tmp_path, gil_hog())
    model = build_model(read_trace(path))
    with served(make_site(path, lambda: Answers(model), None)) as running:
        base = f"/{running.site.token}/"
        status, headers, body = ask(running, base)
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert b"main.js" in body
        for name in static_files():
            assert ask(running, base + name)[0] == 200, name
        assert ask(running, f"{base}trace.pftrace")[2] == path.read_bytes()
        assert json.loads(ask(running, f"{base}api/meta")[2])["name"] == "x.pftrace"
        for bad in BAD_QUESTIONS:
            assert ask(running, base + bad)[0] == 400, bad


def decoded(data):
    """Head, starts, ends and rows of a tile."""
    size = struct.unpack_from("<I", data)[0]
    head = json.loads(data[4 : 4 + size])
    n, at = head["items"], 4 + size
    starts, ends = (struct.unpack_from(f"<{n}d", data, at + 8 * n * i) for i in range(2))
    rows = struct.unpack_from(f"<{n}i", data, at + 16 * n + 4 * (head["lanes"] + 1))
    return head, starts, ends, rows


def test_findings_are_explained():
    """The page links to this file of the documentation, which the wheel has, too."""
    told = static_files()["findings.md"].decode()
    assert told == (Path(__file__).parents[3] / "docs" / "findings.md").read_text()


def test_tile_has_the_states(tmp_path):
    """What the page draws of a thread is what the trace says, relative to its beginning."""
    model = model_of(tmp_path, gil_hog())
    answers = Answers(model)
    query = {"group": "threads", "lanes": "0", "level": "0", "index": "0"}
    query["level"] = "20"  # 1,024 pixels of a millisecond
    head, starts, ends, rows = decoded(answers.routes["api/tile"](query).body)
    states = model.states
    assert head["lanes"] == 1
    assert [s + model.start_ns for s in starts] == [
        states.start_ns[row] for row in rows if row >= 0
    ]
    assert [e + model.start_ns for e in ends] == [
        states.end_ns[row] for row in rows if row >= 0
    ]


@pytest.mark.parametrize(("name", "data"), every_trace())
def test_every_slice_can_be_explained(tmp_path, name, data):
    """Each row of each group of each hand-made trace has details that agree with it."""
    path = tmp_path / "x.pftrace"
    path.write_bytes(data)
    model = build_model(read_trace(path))
    answers = Answers(model)
    for group in ("threads", "loops", "tasks", "locks", "waits", "gil", "gc"):
        lanes = answers.groups[group].lanes
        for place, row in enumerate(lanes.row):
            query = {"group": group, "row": str(row)}
            told = json.loads(answers.routes["api/slice"](query).body)
            assert told["start_ns"] == lanes.start_ns[place] - model.start_ns
            assert told["ns"] == lanes.end_ns[place] - lanes.start_ns[place]
            for link in told["links"]:  # the page can select what an arrow leads to
                if link["row"] >= 0:
                    other = {"group": link["group"], "row": str(link["row"])}
                    assert json.loads(answers.routes["api/slice"](other).body)["row"] >= 0
            if told["did"]:
                assert sum(cause["ns"] for cause in told["did"]) == told["ns"]
            if told["why"]:
                assert sum(cause["ns"] for cause in told["why"]["causes"]) == told["why"]["ns"]


def test_range_cuts_every_number(tmp_path):
    """A report of half the time and one of the other half add up to that of all."""
    model = model_of(tmp_path, lock_convoy())
    answers = Answers(model)
    duration = model.end_ns - model.start_ns
    cut = duration // 3

    def totals(**query):
        told = json.loads(answers.routes["api/report"](query).body)
        sums: dict[tuple[str, str], int] = {}
        for row in told["threads"]:
            for state, ns in row["states"].items():
                sums[row["name"], state] = sums.get((row["name"], state), 0) + ns
        return sums

    whole = totals()
    parts = (
        totals(**{"from": "0", "to": str(cut)}),
        totals(**{"from": str(cut), "to": str(duration)}),
    )
    keys = set(whole)
    assert whole == {k: sum(part.get(k, 0) for part in parts) for k in keys}


@pytest.mark.parametrize(("name", "data"), every_trace())
def test_every_range_has_a_report(tmp_path, name, data):
    """However a range cuts a trace, its content is shown; a thread's states fill its time."""
    path = tmp_path / "x.pftrace"
    path.write_bytes(data)
    model = build_model(read_trace(path))
    answers = Answers(model)
    step = max((model.end_ns - model.start_ns) // 5, 1)
    for at in range(0, 5 * step, step):
        query = {"from": str(at), "to": str(at + step)}
        told = json.loads(answers.routes["api/report"](query).body)
        for row in told["threads"]:
            assert sum(row["states"].values()) + row["unknown_ns"] == row["wall_ns"] <= step
        assert answers.routes["api/flame"](query).body
        for row in told["tasks"]:
            one = {"coro": row["coro"], "site": row["site"]}
            assert json.loads(answers.routes["api/tasks"](query | one).body)["tasks"]


def test_range_leaves_out_tasks_that_wait(tmp_path):
    """What a range cuts away is nobody's: tasks have numbers that no thread has."""
    trace = TraceBuilder(signals="tasks,threads,gc,gil,locks,io")
    thread = trace.thread("MainThread")
    loop = trace.loop(thread)
    lock = trace.lock("asyncio.Lock", "/app/a.py:2 f")
    thread.running(0).end(10 * MS)
    for at in (0, 2 * MS):
        task = loop.task("f", site="/app/a.py:1 f")
        task.ready(at).running(at).awaits(at + MS, "Lock", lock=lock.id, site="/app/a.py:2 f")
        loop.step(task, at, at + MS)
    model = model_of(tmp_path, trace.ended(10 * MS))
    query = {"from": "0", "to": str(MS)}
    (row,) = json.loads(Answers(model).routes["api/report"](query).body)["threads"]
    assert row["states"]["running"] == row["wall_ns"] == MS


def test_range_has_what_is_in_it(tmp_path):
    """Calls, locks and tasks outside the range are not in its report."""
    model = model_of(tmp_path, gil_hog())
    query = {"from": "100000000", "to": "150000000"}
    told = json.loads(Answers(model).routes["api/report"](query).body)
    assert [row["name"] for row in told["threads"]] == ["MainThread", "compress"]
    assert told["io"] == told["locks"] == told["gc"] == told["tasks"] == []


def test_range_of_everything_is_everything(tmp_path):
    """Cutting at the borders changes nothing."""
    model = model_of(tmp_path, profiled())
    cut = within(model, model.start_ns, model.end_ns + 1)
    assert bytes(cut.states.state) == bytes(model.states.state)
    assert list(cut.trace.events.sample_time_ns) == list(model.trace.events.sample_time_ns)


def test_flame_adds_up(tmp_path):
    """The tree has all samples; those of the threads add up to it."""
    model = model_of(tmp_path, profiled())
    flame = Answers(model).routes["api/flame"]
    whole = json.loads(flame({}).body)["tree"]["values"][0]
    events = model.trace.events
    threads = set(zip(events.sample_pid, events.sample_tid, strict=True))
    parts = [
        json.loads(flame({"thread": f"{pid}:{tid}"}).body)["tree"]["values"][0]
        for pid, tid in threads
    ]
    assert whole == sum(parts) > 0


def test_source_knows_the_trace_only(tmp_path):
    """A file that no sample is in has no source, whoever asks for it."""
    model = model_of(tmp_path, profiled())
    source = Answers(model).routes["api/source"]
    assert source({"function": "x", "file": "/etc/passwd"}).body == b"null"


def test_numbers_are_checked(tmp_path):
    """What is no number, or too large, is refused before it is used."""
    model = model_of(tmp_path, profiled())
    answers = Answers(model)
    for text in ("", "x", "1e9", "-1", "٣", "9" * 30):
        with pytest.raises(BadQuery):
            answers.routes["api/slice"]({"group": "threads", "row": text})


def test_ui_directory(tmp_path):
    """A copy of the UI is a table of files; links out of it are not in it."""
    with pytest.raises(UsageError, match="not a copy of the Perfetto UI"):
        find_ui(tmp_path)
    (tmp_path / "v1").mkdir()
    (tmp_path / "index.html").write_text("ui")
    (tmp_path / "v1" / "a.js").write_text("1")
    (tmp_path / "out").symlink_to("/etc/passwd")
    assert find_ui(tmp_path) == tmp_path
    assert set(ui_routes(tmp_path)) == {"ui/", "ui/index.html", "ui/v1/a.js"}


@pytest.mark.parametrize("command", ["view", "open"])
def test_command_serves_until_interrupted(tmp_path, command):
    """The address alone is on stdout; stderr says what is served and what ends it."""
    path = trace_file(tmp_path, gil_hog())
    process = subprocess.Popen(
        [sys.executable, "-m", "tracer", command, "--no-browser", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert b"<title>tracer" in answer.read()
    finally:
        process.send_signal(signal.SIGINT)
        rest, complaints = process.communicate(timeout=60)
    said = f"tracer: serving {path}; Ctrl-C ends it.\n"
    assert (process.returncode, rest, complaints) == (0, "", said)


def test_command_refuses(tmp_path, capsys):
    """What is no trace, or no UI, is said in one line."""
    assert main(["view", str(tmp_path / "none")]) == 1
    assert main(["open", str(tmp_path / "none")]) == 1
    (tmp_path / "text").write_text("no trace")
    assert main(["view", "--no-browser", str(tmp_path / "text")]) == 1
    path = trace_file(tmp_path, gil_hog())
    assert main(["open", "--ui-dir", str(tmp_path), str(path)]) == 2
    told = capsys.readouterr()
    assert [line.partition(":")[0] for line in told.err.splitlines()] == ["tracer"] * 4
    assert told.out == ""
