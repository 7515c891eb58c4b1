"""Who held the lock that a wait was for, and where each released it."""

from tracer import schema as s
from viewer.analysis.causes.tree import Tree
from viewer.render.json.values import Json
from viewer.server.groups import owner_name
from viewer.trace.columns import LOCK_WAIT, STATE_MASK, TASK_WAIT
from viewer.trace.model import Model

# When somebody held it, as seen from the wait
BEGAN, GRANTED, GAVE_UP, ENDED, STILL = "began", "granted", "gave_up", "ended", "still"


def holders(tree: Tree, row: int) -> list[Json]:
    """The hold when a wait began, and the last hold before it ended: at most two holds.

    `stack` is that of the release, outermost caller last; empty when the trace has none.
    """
    model, table = tree.model, tree.model.states
    lock, start, end = table.row[row], table.start_ns[row], table.end_ns[row]
    base = table.state[row] & STATE_MASK
    if base not in (LOCK_WAIT, TASK_WAIT) or lock < 0 or not tree.ledger.holds.has(lock):
        return []
    waiter = _waiter(model, row)
    pieces = tree.ledger.holds.pieces(lock, start, max(end, start + 1))
    holds = [hold for _, _, hold in pieces if hold >= 0 and _owner(model, hold) != waiter]
    told = _owner(model, row)
    # The owner that the wait names counts; without one, the holder at that moment.
    if told is None:
        first = pieces[0][2] if pieces[0][2] in holds else -1
    else:
        first = next((hold for hold in holds if _owner(model, hold) == told), -1)
    found = [_hold(model, first, [BEGAN])] if first >= 0 else []
    if holds and end > start:
        role = _last_role(model, row)
        if holds[-1] == first:
            found = [_hold(model, first, [BEGAN, role])]
        else:
            found.append(_hold(model, holds[-1], [role]))
    return found


def _last_role(model: Model, row: int) -> str:
    slices, of = model.trace.slices, model.states.slice[row]
    if slices.end_event[of] < 0:
        return STILL
    told = model.trace.args(slices.end_event[of]).get(s.ARG_ACQUIRED)
    return ENDED if told is None else GRANTED if told else GAVE_UP


def _waiter(model: Model, row: int) -> tuple[int, bool]:
    """The id of the thread or task that waits, and whether it is a task."""
    table = model.states
    if table.state[row] & STATE_MASK == TASK_WAIT:
        return model.owners.task_id[table.who[row]], True
    return model.threads[table.who[row]].tid, False


def _owner(model: Model, row: int) -> tuple[int, bool] | None:
    """The id of the holder, and whether it is a task; None when it is unknown."""
    table = model.states
    owner = table.owner[row]
    if owner < 0 or table.owner_id[owner] < 0:
        return None
    return table.owner_id[owner], bool(table.owner_is_task[owner])


def _hold(model: Model, row: int, roles: list[str]) -> Json:
    table, slices = model.states, model.trace.slices
    last = slices.end_event[table.slice[row]]
    stack = model.trace.args(last).get(s.ARG_STACK, "") if last >= 0 else ""
    return {
        "row": row,
        "roles": [*roles],
        "who": owner_name(model, row),
        "site": model.trace.text(table.site[row]),
        "start_ns": table.start_ns[row] - model.start_ns,
        "ns": table.end_ns[row] - table.start_ns[row],
        "released": last >= 0,
        "stack": [*str(stack).splitlines()],
    }
