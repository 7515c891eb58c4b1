"""Processes of one run: names, parents, begin and end, whatever their pids are."""

import io
import json
from typing import Any

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.stories.processes import pool, service
from viewer.analysis.processes.family import Family as Read
from viewer.analysis.processes.family import program_of
from viewer.analysis.processes.jobs import Jobs
from viewer.commands.report import report
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace

MS = 1_000_000


def model_of(tmp_path, family: Family) -> Model:
    return build_model(read_trace(family.write(tmp_path)))


def shown(tmp_path, family: Family, section: str | None = "processes") -> list[str]:
    out = io.StringIO()
    report(family.write(tmp_path), as_json=False, section=section, top=9, by="coro", out=out)
    return out.getvalue().splitlines()


def as_json(tmp_path, family: Family) -> Any:
    out = io.StringIO()
    report(family.write(tmp_path), as_json=True, section=None, top=9, by="coro", out=out)
    return json.loads(out.getvalue())


def test_table(tmp_path):
    """Each process below the one that started it, with its life and its end."""
    assert shown(tmp_path, service())[4:] == [
        "Processes",
        "  process     pid   from   lived      end    work        threads",
        "  serve.py    100      0  101 ms    ended  100 ms  38 %        1",
        "    worker 1  101  10 ms   85 ms  SIGKILL   78 ms  30 %        1",
        "    child 1   102  20 ms   65 ms   exit 0   58 ms  22 %        1",
        "      job.py  103  30 ms   45 ms   exit 3   25 ms  10 %        1",
        "  serve.py: /app/serve.py --port 1",
        "  job.py: /app/job.py",
    ]


def test_rows(tmp_path):
    """The numbers of JSON; other rows say by number which process they are of."""
    made = as_json(tmp_path, service())
    rows = made["processes"]
    assert [
        (row["process"], row["pid"], row["name"], row["origin"], row["parent"]) for row in rows
    ] == [
        (0, 100, "serve.py", "run", None),
        (1, 101, "worker 1", "fork", 0),
        (2, 102, "child 1", "fork", 0),
        (3, 103, "job.py", "spawn", 2),
    ]
    assert [(row["how"], row["status"], row["signal"]) for row in rows] == [
        ("ended", None, None),
        ("unknown", None, 9),
        ("ended", 0, None),
        ("ended", 3, None),
    ]
    lives = [(row["start_ns"] // MS, row["end_ns"] // MS) for row in rows]
    assert lives == [(0, 101), (10, 95), (20, 85), (30, 75)]
    assert [row["work_ns"] // MS for row in rows] == [100, 78, 58, 25]
    assert {row["tid"]: row["process"] for row in made["threads"]} == {
        100: 0,
        101: 1,
        102: 2,
        103: 3,
    }


def test_a_pid_used_again(tmp_path):
    """Two children that had one pid are two; each end belongs to the one before it."""
    family = Family("serve.py")
    main = family.first.thread("MainThread", 100).running(0)
    first = family.fork(main, 10, 101)
    family.main(first).running(10).end(20)
    first.ended(21)
    family.ended(main, first, 25, status=1)
    second = family.fork(main, 30, 101)
    family.main(second).running(30).end(50)
    second.ended(51)
    family.ended(main, second, 55, status=2)
    main.end(60)
    family.first.ended(61)
    members = [*Read.of(model_of(tmp_path, family)).members.values()]
    assert [member.name for member in members] == ["serve.py", "child 1", "child 2"]
    assert [member.told.status for member in members if member.told] == [1, 2]
    assert [row["process"] for row in as_json(tmp_path, family)["threads"]] == [0, 2, 1]


def test_a_process_that_became_another_program(tmp_path):
    """The new one is the child of the old one; who waits for the pid is told of its end."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).running(0)
    old = family.fork(main, 10, 101)
    thread = family.main(old).running(10)
    new = family.fork(thread, 20, 101, origin="exec", argv="/app/other.py", started=40)
    exec_ = old.events[-1]
    assert exec_.name == "spawn"
    exec_.name, exec_.track, exec_.category = "exec", old.tracer, "tracer"
    exec_.args = {"path": "/usr/bin/python", "followed": True}
    family.main(new).running(40).end(50)
    new.ended(51)
    family.ended(main, new, 55, status=4)
    main.end(60)
    family.first.ended(61)
    members = Read.of(model_of(tmp_path, family)).members
    assert [(m.name, m.parent, m.told and m.told.status) for m in members.values()] == [
        ("serve.py", -1, None),
        ("child 1", 0, None),
        ("other.py", 1, 4),
    ]
    how = [(row["how"], row["status"]) for row in as_json(tmp_path, family)["processes"]]
    assert how == [("ended", None), ("replaced", None), ("ended", 4)]


def test_without_arrows(tmp_path):
    """The pids tell, where the arrow is lost: of the note of the start, else of the child."""
    family = service()
    for process in family.processes:
        for event in process.events:
            event.flows, event.ends_flows = [], []
    members = Read.of(model_of(tmp_path, family)).members
    assert [member.parent for member in members.values()] == [-1, 0, 0, 2]
    for process in family.processes:
        process.events = [
            event for event in process.events if event.name not in ("fork", "spawn")
        ]
    members = Read.of(model_of(tmp_path, family)).members
    assert [member.parent for member in members.values()] == [-1, 0, 0, 2]


def test_two_runs(tmp_path):
    """Programs that have nothing to do with each other have no parents."""
    for pid in (1, 2):
        trace = TraceBuilder(pid=pid, argv="-m app.main", signals="gil")
        trace.thread("MainThread").running(0).end(5)
        (tmp_path / f"{pid}.pftrace").write_bytes(trace.ended(6).data())
    members = Read.of(build_model(read_trace(tmp_path))).members.values()
    assert [(member.name, member.parent) for member in members] == [
        ("app.main (1)", -1),
        ("app.main (2)", -1),
    ]


@pytest.mark.parametrize(
    ("argv", "program"),
    [
        ("/a/b.py --x", "b.py"),
        ("-m pkg.mod x", "pkg.mod"),
        ("gunicorn a:b", "gunicorn"),
        ("", ""),
    ],
)
def test_program(argv, program):
    assert program_of(argv) == program


def test_jobs(tmp_path):
    """Queued, run, given back: each job's times, by the pool's pipe and the job's number."""
    found = Jobs.of(model_of(tmp_path, pool()))
    assert [
        (job.worker, job.queued_ns // MS, job.ran_ns // MS, job.returned_ns // MS)
        for job in found.all
    ] == [(1, 8, 30, 5), (2, 9, 10, 1), (2, 26, 20, 1)]
    (only,) = found.pools
    assert (only.process, only.workers) == (0, [1, 2])
    assert [job.exception for job in only.jobs] == ["", "", "ValueError"]


def test_jobs_table(tmp_path):
    """One row for each function, of the process that submitted its jobs."""
    title, head, row, *told = shown(tmp_path, pool(), "jobs")[4:]
    assert title == "Jobs of process pools (queued, ran, returned: median of one job)"
    assert head.split() == [
        "job",
        "jobs",
        "queued",
        "ran",
        "max",
        "total",
        "returned",
        "sent",
        "failed",
    ]
    assert " ".join(row.split()) == (
        "resize …/batch.py:8 [batch.py] 3 9.00 ms 20.0 ms 30.0 ms 60.0 ms 1.00 ms 3.0 kB 1"
    )
    assert " ".join(" ".join(told).split()) == (
        "`resize`: 3 jobs in 2 processes ran 60.0 ms in all, were queued for 43.0 ms, and "
        "their results took 7.00 ms to come back."
    )


@pytest.mark.parametrize(("origin", "ended"), [("fork", 3), ("spawn", None)])
def test_the_pid_that_the_parent_knows(tmp_path, origin, ended):
    """Of a forked child another one where it has a namespace of its own. What a shell started
    is not who the parent waits for: the shell's end is not its own."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).running(0)
    child = family.fork(main, 10, 1, origin=origin)
    (start,) = (event for event in main.trace.events if event.name == origin)
    start.args["child"] = 200
    family.main(child).running(10).end(50)
    child.ended(51)
    family.instant(main, 55, "child ended", "thread", child=200, status=3)
    main.end(60)
    family.first.ended(61)
    _, found = Read.of(model_of(tmp_path, family)).members.values()
    assert (found.told.status if found.told else None) == ended


def test_how_many_lived_at_once(tmp_path):
    """Two at a time, of which one is replaced twice."""
    family = Family("/app/batch.py")
    main = family.first.thread("MainThread", 100).running(0)
    for n, (start, end) in enumerate([(1, 90), (2, 30), (31, 60), (61, 90)]):
        child = family.fork(main, start * MS, 101 + n, name=f"Worker-{n}")
        family.main(child).running((start + 1) * MS).end((end - 1) * MS)
        child.ended(end * MS)
    main.end(95 * MS)
    family.first.ended(96 * MS)
    found = Read.of(model_of(tmp_path, family))
    assert found.at_once(range(1, 5)) == 2
    assert found.at_once([2, 3]) == 1
    assert found.at_once([]) == 0


def test_jobs_of_which_none_began(tmp_path):
    """A pool whose workers are not seen, or that has lost them."""
    family = Family("/app/batch.py")
    main = family.first.thread("MainThread", 100).running(0)
    family.job(77, "resize", main, 1 * MS, "/app/batch.py:8 main")
    main.end(9 * MS)
    family.first.ended(10 * MS)
    assert shown(tmp_path, family, "jobs")[-1].strip() == (
        "`resize`: 1 job, of which none began in this trace."
    )


def test_jobs_json(tmp_path):
    (row,) = as_json(tmp_path, pool())["jobs"]
    assert (row["name"], row["count"], row["failed"], row["workers"]) == ("resize", 3, 1, 2)
    assert (row["sent_bytes"], row["result_bytes"]) == (3000, 300)
    assert row["queued_ns"]["total"] == 43 * MS
    assert [r["jobs"] for r in as_json(tmp_path, pool())["processes"]] == [0, 1, 2]


def test_a_single_process(tmp_path):
    """It has a row, and no name beside its threads."""
    family = Family("/app/one.py")
    family.first.thread("MainThread", 100).running(0).end(5)
    family.first.ended(6)
    assert [row["name"] for row in as_json(tmp_path, family)["processes"]] == ["one.py"]
    text = "\n".join(shown(tmp_path, family, "threads"))
    assert "[" not in text
