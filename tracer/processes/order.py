"""What a process tells a child that is a new Python: how to record, and as part of which run.

It travels as text in the environment. Imports nothing that a plain `python` has not loaded
already.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from tracer.flight_recorder.rings import Flight
    from tracer.options import Options
    from tracer.processes.family import Family

_BETWEEN, _WITHIN = "\x1f", "\x1e"  # fields, and parts of one
_NUMBERS = (
    *("buffer_bytes", "cpu_hz", "heap_rate", "heap_seed", "io_threshold_us", "stack_depth"),
    *("most_bytes", "most_files", "names_only", "control"),
)
_VALUE_LETTERS = "WX"  # of python's own options: a value follows


class Order:
    """`values` are keyword arguments for Options, `program` is a command line."""

    __slots__ = ("began_ns", "family", "file", "is_first", "program", "values")

    def __init__(self, text: str) -> None:
        file, numbers, run, signals, profiles, flight, says, *program = text.split(_BETWEEN)
        self.values: dict[str, object] = dict(
            zip(_NUMBERS, map(int, numbers.split(",")), strict=True),
            signals=tuple(signals.split(",")) if signals else (),
            profiles=tuple(profiles.split(",")) if profiles else (),
            says=says,
            flight=_flight(flight),
        )
        self.family, self.began_ns, self.is_first = map(int, run.split(","))
        self.file = file
        self.program = tuple(program)


def _told(flight: "Flight | None") -> str:
    """How children make a flight recording, too; `on_event`, a function, stays here."""
    if flight is None:
        return ""
    fields = (
        *(flight.folder, repr(flight.seconds), str(flight.most_bytes)),
        *(str(flight.keep), repr(flight.cooldown)),
    )
    return _WITHIN.join((*fields, *flight.on))


def _flight(text: str) -> "Flight | None":
    if not text:
        return None
    from tracer.flight_recorder.rings import Flight  # few children make one

    folder, seconds, most_bytes, keep, cooldown, *on = text.split(_WITHIN)
    return Flight(
        *(folder, float(seconds), int(most_bytes), int(keep), tuple(on)),
        cooldown=float(cooldown),
    )


def written(
    options: "Options", family: "Family", program: "Iterable[str]", is_first: bool
) -> str:
    """`program` is the command line as the trace shows it."""
    fields = [
        family.file,  # first: site/sitecustomize.py looks for it there
        ",".join(str(int(getattr(options, name))) for name in _NUMBERS),
        f"{family.number},{family.began_ns},{int(is_first)}",
        *(",".join(options.signals), ",".join(options.profiles)),
        *(_told(options.flight), options.says),
    ]
    return _BETWEEN.join((*fields, *program))


def give(
    core: "ModuleType", options: "Options", family: "Family | None", program: "list[str]"
) -> None:
    """From now on children that are a new Python are told this; None: nothing."""
    site = os.path.abspath(__file__).rsplit("/", 2)[0] + "/site"
    if family is None or ":" in site:  # PYTHONPATH cannot have that
        core.follow_spawned(None, None, 0)
        return
    core.kept["order"] = (site, written(options, family, program, False), family.number)
    text = written(options, family, program, family.is_first)
    core.follow_spawned(site, text, family.number)


def give_again(core: "ModuleType") -> None:
    """In a forked child: its own are told what its parent's would be."""
    core.follow_spawned(*core.kept["order"])


def command(words: "list[str]") -> tuple[list[str], int]:
    """Of python's command line what is run, with its arguments; and how many words name it."""
    at = 1
    while at < len(words):
        word = words[at]
        if word.startswith("--") and word != "--":
            at += 2 if word == "--check-hash-based-pycs" else 1
            continue
        if not word.startswith("-") or word == "-":
            return words[at:], 1
        letters = [i for i, letter in enumerate(word) if letter in "mc" + _VALUE_LETTERS]
        first = letters[0] if letters else 0
        rest = word[first + 1 :] if first else ""
        if first and word[first] in "mc":
            given = ([rest] if rest else []) + words[at + 1 :]
            return [f"-{word[first]}", *given], 2 if word[first] == "m" else 1
        at += 2 if first and not rest else 1
    return [], 0
