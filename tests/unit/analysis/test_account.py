"""The account of lost time: whose it was, and that nothing is lost or made up."""

import pytest

from tests.support.conservation import adds_up
from tests.support.models import model_of
from tests.support.stories import waits as stories
from tests.support.stories.shapes import SHAPES
from tests.support.stories.waits import MS
from viewer.analysis.ledger.account import Kind, account
from viewer.analysis.tasks import occupant


def test_the_rows_of_a_loop(tmp_path):
    """Who ran while `ticker` and `main` were ready, and for how many waits."""
    model = model_of(tmp_path, stories.blocked_loop())
    rows = {
        occupant(model, row.who)[0]: row for row in account(model) if row.kind is Kind.LOOP
    }
    handler = rows["handler"]
    assert (handler.longest_ns, handler.waits) == (28 * MS, 1)
    assert rows["flush_metrics"].lost_ns == MS


def test_the_rows_of_the_gil_and_of_locks(tmp_path):
    """Threads, and the owners of locks, by their numbers."""
    model = model_of(tmp_path, stories.gil_hog())
    rows = [row for row in account(model) if row.kind is Kind.GIL]
    worst = max(rows, key=lambda row: row.lost_ns)
    assert model.thread_names[worst.who] == "compress"
    assert (worst.lost_ns, worst.waits, worst.longest_ns) == (305 * MS, 2, 200 * MS)
    model = model_of(tmp_path, stories.lock_convoy())
    rows = [row for row in account(model) if row.kind is Kind.LOCK]
    assert max(row.longest_ns for row in rows) == 99_500_000


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_adds_up(tmp_path, shape):
    """Also where occupants are too many to be distinguished, and where events were dropped."""
    adds_up(model_of(tmp_path, SHAPES[shape](600)))


def test_what_does_not_add_up_is_found(tmp_path, monkeypatch):
    """A charge too much is noticed."""
    model = model_of(tmp_path, stories.gil_hog())
    monkeypatch.setattr("tests.support.conservation.account", lambda m: [*account(m)][1:])
    with pytest.raises(AssertionError):
        adds_up(model)
