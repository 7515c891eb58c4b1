"""Whether a trace names some code anywhere: asked first by findings about one library."""

from viewer.analysis.findings.facts import Facts
from viewer.analysis.states import mentioned


def mentions(facts: Facts, *parts: str) -> bool:
    """Whether a line of a stack, or another text, has one of these parts."""
    return mentioned(facts.model, *parts)
