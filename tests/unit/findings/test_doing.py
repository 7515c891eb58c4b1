"""What threads did meanwhile, in words: one place is told once."""

from collections import Counter

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS
from tests.support.models import model_of
from viewer.analysis.findings.basis.doing import join_computing
from viewer.analysis.findings.basis.facts import Facts


@pytest.mark.parametrize(("function", "is_same"), [("work", True), ("more", False)])
def test_computing_in_one_function_is_told_once(tmp_path, function, is_same):
    """Some of its time has a line, the rest only CPU samples."""
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    main = trace.thread("MainThread").running(0).end(300 * MS)
    SampleBuilder(trace).add(main, 10 * MS, (function, "/app/keep.py", 7), times=12)
    facts = Facts(model_of(tmp_path, trace.ended(310 * MS)))
    stacks = facts.stacks(facts.model.threads[0].tid, [(0, facts.model.end_ns)])
    known, unknown = ("computing", "/app/keep.py:9 work"), ("computing", "")
    sums = Counter({known: 20 * MS, unknown: 10 * MS, ("asleep", ""): MS})
    join_computing(facts, sums, list(stacks))
    apart = {known: 20 * MS, unknown: 10 * MS, ("asleep", ""): MS}
    assert sums == ({known: 30 * MS, ("asleep", ""): MS} if is_same else apart)
