"""Who had the slot for which a wait was in vain, as the resource model says."""

from tracer import schema as s
from viewer.analysis.causes.labels import Label
from viewer.analysis.causes.part import Kind
from viewer.analysis.causes.tree import Tree
from viewer.analysis.ledger.pools import pool_of
from viewer.analysis.resources.kept import SlotsInVain
from viewer.analysis.resources.reading import Reading
from viewer.analysis.resources.waits import Waits


def who_had(tree: Tree, i: int) -> Label | None:
    """One of those who had the slots all the while, of a wait (slice) that nobody ended, with
    its lane if it still lived; None where the wait is none for a slot, or nobody is known."""
    lanes, slices = tree.lanes, tree.model.trace.slices
    what = lanes.name_of_slice(i).removeprefix(s.AWAIT_PREFIX)
    stack = tuple(tree.model.trace.text_of_slice(i, s.ARG_STACK).split("\n"))
    if pool_of(what.removeprefix(s.LOCK_WAIT_PREFIX), stack) is None:
        return None
    waits = Waits.of(Reading(tree.model))
    found = SlotsInVain.of(waits).get(i)
    if found is None or not found.by:
        return None
    own = "task", tree.model.owners.owner[i]  # which may have one, and ask for another
    who = max(
        found.by, key=lambda who: (who != own, waits.ends_ns(who) >= slices.end_ns[i], who)
    )
    name = (lanes.name_of_task if who[0] == "task" else lanes.name_of_thread)(who[1])
    lives = waits.ends_ns(who) >= slices.end_ns[i]
    return Label(Kind.HOLDER, name, on=who if lives else None)
