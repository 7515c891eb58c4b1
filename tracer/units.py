"""Numbers as people read them, in both rooms: durations, moments, sizes, shares, counts.

It imports nothing, since the recorder uses it inside the traced program. The page has the same
functions in viewer/static/format.js; tests/browser/test_format.py runs both on the same cases.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MS = 1_000_000  # in ns
_SECOND = 1_000 * MS
_UNITS = {_SECOND: "s", MS: "ms", 1_000: "µs", 1: "ns"}
_MOST_STEPS = 1_000  # three decimals
_MOST_IN_COLUMN = 100
_DIGITS = 3  # significant ones of a duration
_FEWEST = 2  # significant digits of the smallest duration in a column
_TENTH = _SECOND // 10


def duration(ns: int) -> str:
    """Three significant digits and the unit: `850 ns`, `1.25 ms`, `31.2 ms`, `1,204 s`."""
    step = _step(ns, _DIGITS)
    return _written(ns, step, _unit(_rounded(ns, step)))


def durations(column: "Sequence[int]") -> list[str]:
    """Durations of a column: one unit and one number of decimals, so that they compare.

    Where that would take more than two decimals, each has its own unit and three digits.
    """
    largest = max(map(abs, column), default=0)
    smallest = min((abs(ns) for ns in column if ns), default=0)
    step = _step(largest, _DIGITS)
    unit = _unit(_rounded(largest, step))
    step = min(step, _step(smallest, _FEWEST))
    if unit > step * _MOST_IN_COLUMN:
        return [duration(ns) for ns in column]
    return [_written(ns, step, unit) for ns in column]


def addends(column: "Sequence[int]") -> list[str]:
    """Durations that visibly add up: to the µs, or to the ns if all are below 1 ms."""
    largest = max(map(abs, column), default=0)
    step = 1_000 if largest >= 1_000_000 else 1
    unit = _unit(min(largest, step * _MOST_STEPS))
    return [_written(ns, step, unit) for ns in column]


def moment(ns: int, span: int = 0) -> str:
    """A time since the start, precise enough to find it again in `span` ns around it."""
    return moments([ns], span)[0]


def moments(column: "Sequence[int]", span: int = 0) -> list[str]:
    """Times since the start, all with the same unit and decimals.

    They are precise to a hundredth of `span` or better; by default the column's own span, and
    a tenth of a second for a moment that stands alone.
    """
    latest = max(map(abs, column), default=0)
    span = span or latest - min(column, default=0) or min(latest, _TENTH)
    step = min(_power(max(span // 100, 1)), _SECOND)
    unit = _unit(min(_rounded(latest, step), step * _MOST_STEPS))
    return [_written(ns, min(step, unit), unit) for ns in column]


def _power(count: int) -> int:
    """The largest power of ten up to `count`."""
    power: int = 10 ** (len(str(count)) - 1)
    return power


def _step(ns: int, digits: int) -> int:
    """The power of ten to round `ns` to for that many digits; one second at most."""
    step: int = max(_power(abs(ns)) // 10 ** (digits - 1), 1)
    if _rounded(ns, step) >= step * 10**digits:
        step *= 10  # 999,600 ns are 1.00 ms, not 1000 µs
    return min(step, _SECOND)


def _rounded(ns: int, step: int) -> int:
    return (abs(ns) + step // 2) // step * step


def _unit(ns: int) -> int:
    return next(unit for unit in _UNITS if unit <= max(ns, 1))


def _written(ns: int, step: int, unit: int) -> str:
    if not ns:
        return "0"
    whole, rest = divmod(_rounded(ns, step), unit)
    decimals = len(str(unit // step)) - 1
    fraction = f".{rest // step:0{decimals}}" if decimals else ""
    return f"{'-' if ns < 0 else ''}{whole:,}{fraction} {_UNITS[unit]}"


def size(count: int) -> str:
    """Bytes as `812 B`, `4.3 MB`, `-1.0 kB`."""
    if count < 0:
        return f"-{size(-count)}"
    if count < 1_000:
        return f"{count} B"
    scale = 1_000
    for unit in ("kB", "MB", "GB", "TB"):
        tenths = (count * 10 + scale // 2) // scale
        if tenths < 10_000 or unit == "TB":
            break
        scale *= 1_000
    return f"{tenths // 10:,}.{tenths % 10} {unit}"


def share(part: int, whole: int) -> str:
    """Per cent without decimals; something is never `0 %`, and a part is never `100 %`."""
    if not part or not whole:
        return "0 %"
    percent = (part * 100 + whole // 2) // whole
    if percent == 0:
        return "<1 %"
    return f"{99 if percent >= 100 and part < whole else percent} %"


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 row`, `2 rows`; `many` where the plural takes more than an s."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
