"""What a search through very many texts must look at; Python twin of native/texts.c."""

from array import array

from viewer.trace.columns import Column


def beginning(texts: list[str], numbers: Column, prefix: str) -> Column:
    """Those of the numbered texts that begin so."""
    return memoryview(array("i", (i for i in numbers if texts[i].startswith(prefix))))


def new_lines(texts: list[str]) -> list[str]:
    """The texts, without the lines at the end of a stack that the stack before ends with too.

    What is in a line of any text is in these; of deep stacks most of the lines are shared.
    """
    found: list[str] = []
    before: list[str] = []
    for text in texts:
        lines = text.split("\n")
        if len(lines) == 1:
            found.append(text)
            continue
        alike = 0
        for one, other in zip(reversed(lines), reversed(before), strict=False):
            if one != other:
                break
            alike += 1
        if alike < len(lines):
            found.append("\n".join(lines[: len(lines) - alike]))
        before = lines
    return found
