"""Which known function of a library a stack is in, and what that has called."""

from viewer.analysis.findings.basis.inside import called_by, known_in

SITE = "/venv/lib/python3.13/site-packages"
RUNS, LOOKS = f"{SITE}/huey/consumer.py:9 Worker.run", f"{SITE}/huey/consumer.py:5 Worker.loop"
WRAPS, JOB, HELPER = f"{SITE}/wraps.py:3 call", "/app/jobs.py:7 report", "/app/db.py:2 ask"
KNOWN = (("/huey/", {"Worker.run"}, "outer"), ("/huey/", {"Worker.loop"}, "inner"))


def test_the_innermost_known_function() -> None:
    assert known_in([HELPER, JOB, WRAPS, LOOKS, RUNS], KNOWN) == (3, "inner")
    assert known_in([HELPER, RUNS], KNOWN) == (1, "outer")
    assert known_in([HELPER, JOB, WRAPS], KNOWN) is None


def test_another_file_or_function() -> None:
    assert known_in(["/app/consumer.py:9 Worker.run", LOOKS + "er"], KNOWN) is None


def test_what_it_called() -> None:
    """By way of other frames of the library, but no further in."""
    assert called_by([HELPER, JOB, WRAPS, LOOKS, RUNS], 3) == JOB
    assert called_by([WRAPS, LOOKS, RUNS], 1) == ""


def test_what_a_wrapper_called() -> None:
    """All functions that are decorated have the same one; a closure is what it is."""
    wraps, closure = "/app/web.py:3 timed.<locals>.inner", "/app/web.py:3 main.<locals>.job"
    assert called_by([HELPER, JOB, wraps, WRAPS, LOOKS], 4) == JOB
    assert called_by([HELPER, JOB, closure, WRAPS, LOOKS], 4) == closure
    assert called_by([WRAPS, wraps, LOOKS], 2) == wraps
