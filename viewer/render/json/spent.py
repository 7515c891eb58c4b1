"""What the time until the program's end went to, as JSON."""

from viewer.analysis.causes.spent import Spent
from viewer.render.json.values import Json


def spent_json(one: Spent) -> Json:
    """A part of the time until the program's end, where there are no findings. `count` is 0
    where calls were not counted; `samples` are those in the function at `sampled`."""
    calls, hot = one.calls, one.hot
    return {
        "ns": one.ns,
        "did": one.did,
        "call": one.call,
        "site": one.site,
        "count": calls.times if calls else 0,
        "usual_ns": calls.usual_ns if calls else 0,
        "longest_ns": calls.longest_ns if calls else 0,
        "who": calls.who if calls else "",
        "children": list(calls.children) if calls else [],
        "sampled": f"{hot.file}:{hot.line} {hot.function}" if hot else "",
        "samples": hot.samples if hot else 0,
        "of_samples": hot.of if hot else 0,
    }
