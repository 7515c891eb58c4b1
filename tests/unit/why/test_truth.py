"""Every wait of 1,000 random programs, split exactly as the program's own table says."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.stories.simulator import (
    TICK_NS,
    Blame,
    Program,
    random_program,
    runs,
    truth,
)
from tests.support.validator.rules import validate
from viewer.analysis.causes.part import Cause
from viewer.analysis.causes.tree import Tree
from viewer.analysis.why.explain import explain
from viewer.analysis.why.waits import Wait, wait_of_row, wait_of_slice
from viewer.trace.columns import READY
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.broad

SEEDS = 1_000
BATCHES = 10

type Told = Counter[Blame]


def told(causes: tuple[Cause, ...], above: Blame = ()) -> Told:
    """The leaves of a tree, each with its way down. Parts must add up on every level."""
    found: Told = Counter()
    for cause in causes:
        way = (*above, (str(cause.kind), cause.who))
        if cause.parts:
            assert sum(part.ns for part in cause.parts) == cause.ns, cause
            found += told(cause.parts, way)
        else:
            found[trimmed(way)] += cause.ns
    return found


def trimmed(way: Blame) -> Blame:
    """What ends in `unknown` ends one earlier: an unknown part has no parts."""
    while len(way) > 1 and way[-1] == ("unknown", ""):
        way = way[:-1]
    return way


def expected(ticks: Counter[Blame]) -> Told:
    found: Told = Counter()
    for way, count in ticks.items():
        found[trimmed(way)] += count * TICK_NS
    return found


def waits_of_tasks(program: Program, model: Model) -> list[tuple[Wait, Told]]:
    """Every `ready` and every await, with the truth."""
    found = []
    numbers = {model.task_name(task): task for task in range(len(model.owners.task_id))}
    slices = model.trace.slices
    for number, cells in enumerate(program.tasks):
        waits = [run for run in runs(cells) if run[2] != "running"]
        if not waits:
            continue
        task = numbers[f"task{number}"]
        mine = [
            wait
            for i, owner in enumerate(model.owners.owner)
            if owner == task and (wait := wait_of_slice(model, i)) is not None
        ]
        assert [(w.start_ns, w.end_ns) for w in mine] == [
            (model.start_ns + a * TICK_NS, model.start_ns + b * TICK_NS) for a, b, _ in waits
        ]
        for wait, (start, end, _) in zip(mine, waits, strict=True):
            blame = "loop" if model.owners.kind[wait.row] == READY else "await"
            found.append((wait, expected(truth(program, blame, number, start, end))))
        assert len(mine) <= len(slices.event)
    return found


def waits_of_threads(program: Program, model: Model) -> list[tuple[Wait, Told]]:
    """Every wait for the GIL or a lock, with the truth."""
    found = []
    names = model.thread_names
    rows = {
        (names[model.states.who[row]], model.states.start_ns[row]): row
        for row in range(len(model.states.state))
        if model.states.who[row] >= 0
    }
    for number, cells in enumerate(program.states):
        for start, end, state in runs(cells):
            if state != "gil wait" and not state.startswith("lock wait:"):
                continue
            wait = wait_of_row(model, rows[f"T{number}", model.start_ns + start * TICK_NS])
            assert wait is not None
            assert wait.ns == (end - start) * TICK_NS
            blame = "gil" if state == "gil wait" else state[10:]
            found.append((wait, expected(truth(program, blame, number, start, end))))
    return found


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_split_is_the_truth(tmp_path: Path, batch: int) -> None:
    file = tmp_path / "simulated.trace"
    checked = 0
    for seed in range(batch * SEEDS // BATCHES, (batch + 1) * SEEDS // BATCHES):
        program = random_program(seed)
        data = program.trace().data()
        validate(data)
        file.write_bytes(data)
        model = build_model(read_trace(file))
        tree = Tree(model)
        for wait, right in waits_of_tasks(program, model) + waits_of_threads(program, model):
            explanation = explain(model, wait, tree)
            assert sum(cause.ns for cause in explanation.causes) == wait.ns
            assert told(explanation.causes) == right, (seed, wait)
            checked += 1
    assert checked > 300
