"""The longest waits of a range, for the page to choose from."""

from viewer.analysis.causes.tree import Tree
from viewer.analysis.why.alike import alike
from viewer.analysis.why.explain import explain
from viewer.analysis.why.find import longest_of_all
from viewer.analysis.why.waits import Wait, continues, wait_of_row, wait_of_slice
from viewer.analysis.why.weight import Weight
from viewer.render.json.values import Json
from viewer.render.text.why import in_tree
from viewer.trace.model import Model
from viewer.trace.sites import via

_MOST = 30


def longest_json(tree: Tree, cut: Model) -> Json:
    """Of similar waits the longest inside the range that `cut` has; idle ones do not count.

    Times are in ns since the start of the trace; `ns` and `total_ns` are of the part inside.
    """
    model = tree.model
    inside: dict[Wait, int] = {}
    for part in longest_of_all(cut)[0]:
        whole = (wait_of_slice if part.of_task else wait_of_row)(model, part.row)
        if whole is not None:
            inside[whole] = part.ns
    groups = [
        (max(waits, key=lambda wait: (inside[wait], -wait.start_ns)), waits)
        for (weight, _), waits in alike(tree, [*inside]).items()
        if weight < Weight.IDLE
    ]
    groups.sort(key=lambda group: (-inside[group[0]], group[0].start_ns))
    return [
        _row(tree, wait, inside[wait])
        | {
            "count": max(sum(not continues(model, other) for other in waits), 1),
            "total_ns": sum(inside[other] for other in waits),
        }
        for wait, waits in groups[:_MOST]
    ]


def _row(tree: Tree, wait: Wait, inside_ns: int) -> dict[str, Json]:
    told = explain(tree.model, wait, tree)
    return {
        "group": "tasks" if wait.of_task else "threads",
        "row": wait.row,
        "what": wait.what.value,
        "subject": told.subject,
        "site": told.site,
        "via": via(told.site),
        "who": told.waiter.name,
        "coro": told.waiter.coro,
        "coro_site": told.waiter.site,
        "start_ns": wait.start_ns - tree.model.start_ns,
        "ns": inside_ns,
        "whole_ns": wait.ns,
        "behind": in_tree(told.causes[0]) if told.causes else "",
    }
