"""What is told first: the most expensive, but a cause before what it led to."""

import pytest

from tests.support.finding import MS
from viewer.analysis.findings.basis.facts import Evidence, Finding
from viewer.analysis.findings.basis.order import in_order

ROW, SLEEP = "/app/bank.py:25 charge", "/app/bank.py:40 report"


def finding(kind, cost, site="", behind=""):
    return Finding(kind, cost * MS, kind, Evidence(0, MS, "worker", site=site), behind=behind)


def order(*found):
    return [one.finding for one in in_order(found)]


def test_the_most_expensive_is_first():
    found = [finding("lock convoy", 700), finding("loop blocked", 900)]
    assert order(*found) == ["loop blocked", "lock convoy"]


@pytest.mark.parametrize("cost", [999, 125])
def test_a_cause_is_before_what_it_led_to(cost):
    found = [
        finding("thread-pool starvation", 1_000, behind=ROW),
        finding("busy loop", 999, SLEEP),
        finding("database locked", cost, ROW),
    ]
    assert order(*found) == ["database locked", "thread-pool starvation", "busy loop"]


@pytest.mark.parametrize(
    ("kind", "cost", "site"),
    [
        pytest.param("database locked", 124, ROW, id="it cost too little"),
        pytest.param("database locked", 900, SLEEP, id="another line"),
        pytest.param("awaits in turn", 900, ROW, id="advice"),
    ],
)
def test_what_led_to_nothing_is_after_it(kind, cost, site):
    found = [finding(kind, cost, site), finding("pool exhausted", 1_000, behind=ROW)]
    assert order(*found) == ["pool exhausted", kind]


def test_a_full_queue_is_a_cause_though_it_is_advice():
    found = [finding("slow consumer", 200, ROW), finding("lock convoy", 1_000, behind=ROW)]
    assert order(*found) == ["slow consumer", "lock convoy"]


def test_a_full_queue_elsewhere_is_advice():
    found = [finding("slow consumer", 200, SLEEP), finding("lock convoy", 100, behind=ROW)]
    assert order(*found) == ["lock convoy", "slow consumer"]


@pytest.mark.parametrize("kind", ["thread-pool starvation", "pool exhausted"])
def test_a_pool_that_is_told_twice_is_no_cause_of_itself(kind):
    """Its workers wait at a line, which both tell of."""
    dearer = finding(kind, 1_000, SLEEP, behind=ROW)
    cheaper = finding("thread-pool starvation", 300, ROW, behind=ROW)
    assert in_order([cheaper, dearer]) == [dearer, cheaper]


def test_what_is_behind_nothing_has_no_cause():
    found = [finding("pool exhausted", 1_000), finding("GIL saturated", 900)]
    assert order(*found) == ["pool exhausted", "GIL saturated"]


def test_a_cause_of_two_is_told_once():
    found = [
        finding("pool exhausted", 1_000, behind=ROW),
        finding("thread-pool starvation", 950, behind=ROW),
        finding("database locked", 900, ROW),
    ]
    assert order(*found) == ["database locked", "pool exhausted", "thread-pool starvation"]


def telling(kind, cost, *about, pid=1):
    evidence = Evidence(0, MS, "worker", site=ROW, pid=pid)
    return Finding(kind, cost * MS, kind, evidence, about=frozenset(about))


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("deadlock", "thread-pool starvation"),
        ("deadlock", "loop blocked"),
        ("deadlock", "GC in the hot path"),
        ("loop blocked", "lock convoy"),
        ("busy loop", "busy loop"),
        ("lock convoy", "busy loop"),
        ("pool exhausted", "slow answer"),
        ("workers never exit", "workers never exit"),
    ],
)
def test_what_is_told_again_is_left_out(first, again):
    found = [telling(first, 900, ROW, SLEEP), telling(again, 800, ROW)]
    assert order(*found) == [first]


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(telling("thread-pool starvation", 800, "/app/a.py:3 f"), id="elsewhere"),
        pytest.param(telling("thread-pool starvation", 800, ROW, "/app/a.py:3 f"), id="more"),
        pytest.param(telling("thread-pool starvation", 800, ROW, pid=2), id="another process"),
        pytest.param(telling("thread-pool starvation", 800), id="it names nothing"),
        pytest.param(telling("busy loop", 800, ROW), id="something else"),
    ],
)
def test_what_is_not_told_again(again):
    assert order(telling("deadlock", 900, ROW, SLEEP), again) == ["deadlock", again.finding]


def test_a_deadlock_is_before_all():
    found = [finding("pool exhausted", 1_000, ROW), finding("deadlock", 1, behind=ROW)]
    assert order(*found) == ["deadlock", "pool exhausted"]


def on(kind, cost, track, behind=SLEEP):
    return Finding(kind, cost * MS, kind, Evidence(0, MS, track, site=ROW), behind=behind)


def test_workers_that_all_wait_for_another_pool():
    found = [on("thread-pool starvation", 900, "job_0"), on("pool exhausted", 800, "job_3")]
    assert order(*found) == ["pool exhausted", "thread-pool starvation"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(on("pool exhausted", 800, "web_3"), id="others wait for it"),
        pytest.param(on("pool exhausted", 800, "job_3", "/app/a.py:3 f"), id="another line"),
        pytest.param(on("GIL hog", 800, "job_3"), id="no pool"),
    ],
)
def test_workers_that_wait_for_something_else(other):
    found = [on("thread-pool starvation", 900, "job_0"), other]
    assert order(*found) == ["thread-pool starvation", other.finding]


def test_a_pool_that_tells_what_its_slots_wait_for_at_its_own_line():
    found = [finding("wait in vain", 600, ROW), finding("pool exhausted", 3_000, ROW, ROW)]
    assert order(*found) == ["pool exhausted", "wait in vain"]
