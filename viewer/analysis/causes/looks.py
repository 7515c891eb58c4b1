"""Whether a call or sleep may have been a look for the end of a child."""

import re

from viewer.analysis.states import stack_of
from viewer.trace.columns import IO, STATE_MASK
from viewer.trace.model import Model
from viewer.trace.sites import is_library

_MAY_WAIT = re.compile(r"wait|poll|select|read", re.IGNORECASE)


def may_be_for_child(model: Model, row: int, ended_ns: int) -> bool:
    """False where the program itself asks somebody else there, or sleeps, and began to do so
    when the child had ended (-1: that is unknown)."""
    table = model.states
    if is_library(stack_of(model, row).partition("\n")[0]):
        return True
    if table.state[row] & STATE_MASK == IO:
        name = model.trace.text(table.call_name[table.row[row]])
        return _MAY_WAIT.search(name) is not None
    return ended_ns < 0 or table.start_ns[row] <= ended_ns
