"""Whether a trace names some code anywhere: asked first by findings about one library."""

from viewer.analysis.findings.facts import Facts


class _Lines:
    """The lines of all texts of a trace, as one text."""

    def __init__(self, facts: Facts) -> None:
        trace = facts.model.trace
        self.text = "\n".join(trace.engine.new_lines(trace.events.strings))


def mentions(facts: Facts, *parts: str) -> bool:
    """Whether a line of a stack, or another text, has one of these parts."""
    lines = facts.model.derived.get(_Lines)
    if not isinstance(lines, _Lines):
        lines = facts.model.derived[_Lines] = _Lines(facts)
    return any(part in lines.text for part in parts)
