"""What is said of findings that could not be looked for."""

from os.path import basename
from traceback import extract_tb

from tracer.units import plural
from viewer.analysis.findings import Failed


def failed_text(failed: list[Failed]) -> str:
    """One line; the first of them stands for all."""
    finder, error = failed[0]
    where = extract_tb(error.__traceback__)[-1]
    others = f" and {plural(len(failed) - 1, 'other', 'others')}" if failed[1:] else ""
    return (
        f"{finder.function!r}{others} of the findings could not be looked for: "
        f"{type(error).__name__}: {error} ({basename(where.filename)}:{where.lineno} "
        f"{where.name}). All else is complete. "
        "This is a fault of tracer: please report it with this line."
    )
