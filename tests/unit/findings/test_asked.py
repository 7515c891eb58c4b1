"""Threads that ask a peer again and again until it answers something else."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

ASK, DONE = "/app/jobs.py:12 wait_for_result", "/app/jobs.py:20 request"


def client(
    waits=5,
    answers=100,
    each_ns=3 * MS,
    usual=(5,),
    last=9,
    then=lambda thread, at: thread.sleep(at, site=DONE),
    site=ASK,
    sends=10,
    names=("web-0",),
    unseen="",
):
    """Each thread asks: answers of the usual sizes in turn, then the last one."""
    trace = TraceBuilder(argv="jobs.py", signals=SIGNALS)
    for name in names:
        thread, at = trace.thread(name), 0
        thread.running(0)
        for _ in range(waits):
            for n in range(answers):
                if sends and n % sends == 0:
                    thread.io(at, "socket.sendall", site=site)
                is_last = n == answers - 1 and name != unseen
                size = last if is_last else usual[n * len(usual) // answers]
                thread.io(at + MS // 10, "socket.recv", site=site, size_bytes=size)
                thread.native(at + MS)
                at += each_ns
            then(thread, at)
            thread.native(at + MS)
            at += 2 * MS
        thread.end(at)
    return trace.ended(at + MS)


def test_until_the_answer_is_another(tmp_path):
    (found,) = find_in(tmp_path, client())
    assert found.finding == "busy loop"
    assert found.text == (
        "`web-0` polls in `wait_for_result` (jobs.py:12): it asks without a pause, until the "
        "answer has another size: 500 reads, one every 2.98 ms, in 5 such waits, 1.49 s in "
        "total, the longest 298 ms (at 100 µs)."
    )
    assert found.next_step.startswith("Let it be told")
    assert found.evidence.site == ASK


@pytest.mark.parametrize(("usual", "last"), [(5, 4), (5, 900), (190, 187), (190, 400)])
def test_answers_with_other_words(usual, last, tmp_path):
    assert kinds(tmp_path, client(usual=(usual,), last=last)) == ["busy loop"]


def test_one_long_wait(tmp_path):
    (found,) = find_in(tmp_path, client(waits=1, answers=500))
    assert "500 reads, one every 3.00 ms, in 1 such wait, 1.50 s" in found.text


def test_several_threads(tmp_path):
    (found,) = find_in(tmp_path, client(waits=3, names=("w-0", "w-1")))
    assert found.text.startswith(
        "2 threads `w-N` poll in `wait_for_result` (jobs.py:12): they"
    )


def test_the_last_answer_of_one_is_not_recorded(tmp_path):
    (found,) = find_in(tmp_path, client(waits=3, names=("w-0", "w-1"), unseen="w-1"))
    assert found.text.startswith(
        "2 threads `w-N` poll in `wait_for_result` (jobs.py:12): they"
    )


def test_what_follows_is_another_question(tmp_path):
    """A pool of connections: the next job is sent, and answered, at another line."""

    def submit(thread, at):
        thread.io(at, "socket.recv", site=DONE, size_bytes=4)

    (found,) = find_in(tmp_path, client(then=submit))
    assert "in 5 such waits" in found.text


def test_questions_that_are_mostly_too_short_to_be_recorded(tmp_path):
    assert kinds(tmp_path, client(sends=80, answers=160, each_ns=2 * MS)) == ["busy loop"]


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"last": 5}, id="all answers are alike"),
        pytest.param({"usual": (5, 6, 7), "last": 8}, id="a number counts up"),
        pytest.param({"usual": (4_000,)}, id="pages"),
        pytest.param({"usual": (5, 6, 7, 8, 9, 10, 11, 12)}, id="answers differ"),
        pytest.param({"usual": (512,), "last": 400}, id="blocks and the rest"),
        pytest.param({"last": 0}, id="the end of a stream"),
        pytest.param({"sends": 0}, id="it only listens"),
        pytest.param({"sends": 200, "answers": 200, "each_ns": 2 * MS}, id="it asks seldom"),
        pytest.param({"answers": 30, "each_ns": 25 * MS}, id="the peer paces it"),
        pytest.param({"waits": 2}, id="not for long"),
        pytest.param({"answers": 20, "waits": 40}, id="a few tries"),
        pytest.param({"site": "/lib/python3.13/http/client.py:9 f"}, id="in a library"),
        pytest.param({"then": lambda thread, at: None}, id="answers differ now and then"),
    ],
)
def test_healthy(tmp_path, story):
    assert kinds(tmp_path, client(**story)) == []
