"""Go's text forms: profiles as with `debug=1`, threads and tasks as with `debug=2`."""

from collections.abc import Callable, Iterator

from viewer.analysis.dump.entry import Dump, Entry, What
from viewer.analysis.dump.groups import state_of
from viewer.analysis.dump.words import created_by, notes
from viewer.analysis.profiles.profile import Place, Profile, Sample
from viewer.render.formats.pprof import Addresses

_MINUTE_NS = 60_000_000_000
_NS_PER_SECOND = 1_000_000_000
# What would end the state in a header early, for whoever parses it.
_PLAIN = str.maketrans({"[": "(", "]": ")", ",": ";"})
_HEAP_TYPES = ("inuse_objects", "inuse_space", "alloc_objects", "alloc_space")


def render_profile(type_: str, profile: Profile) -> str:
    """The profile as Go prints it with `debug=1`."""
    if type_ not in _FORMS:
        raise KeyError(type_)
    return "".join(_FORMS[type_](type_, profile))


def has_text(type_: str) -> bool:
    """Whether Go has a text form for it."""
    return type_ in _FORMS


def _stack(sample: Sample, addresses: Addresses) -> tuple[str, str]:
    """The addresses of a sample, and its lines."""
    of = [addresses.of(place) for place in sample.frames]
    lines = [
        f"#\t{address:#x}\t{place.function}+0x0\t{_where(place)}\n"
        for address, place in zip(of, sample.frames, strict=True)
    ]
    return " ".join(f"{address:#x}" for address in of), "".join(lines)


def _where(place: Place) -> str:
    return f"{place.path or '?'}:{place.line}"


def _counted(type_: str, profile: Profile) -> Iterator[str]:
    yield f"{type_} profile: total {profile.total}\n"
    addresses = Addresses()
    for sample in profile.samples:
        at, lines = _stack(sample, addresses)
        yield f"{sample.values[0]} @ {at}\n"
        if sample.labels:
            told = ", ".join(
                f"{_quoted(key)}:{_quoted(value)}" for key, value in sample.labels
            )
            yield f"# labels: {{{told}}}\n"
        yield f"{lines}\n"


def _quoted(value: str | int) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _delayed(type_: str, profile: Profile) -> Iterator[str]:
    yield f"--- {'contention' if type_ == 'block' else 'mutex'}:\n"
    yield f"cycles/second={_NS_PER_SECOND}\n"
    if type_ == "mutex":
        yield "sampling period=1\n"
    addresses = Addresses()
    for sample in profile.samples:
        at, lines = _stack(sample, addresses)
        count, ns = sample.values
        yield f"{ns} {count} @ {at}\n{lines}\n"


def _heap(_type: str, profile: Profile) -> Iterator[str]:
    """The rate is said to be 1 byte, since the numbers are estimates of the whole already."""
    names = [name for name, _ in profile.types]
    order = [names.index(name) for name in _HEAP_TYPES]
    rows = [tuple(sample.values[i] for i in order) for sample in profile.samples]
    sums = tuple(map(sum, zip(*rows, strict=True))) if rows else (0, 0, 0, 0)
    yield f"heap profile: {_amounts(sums)} @ heap/2\n"
    addresses = Addresses()
    for sample, values in zip(profile.samples, rows, strict=True):
        at, lines = _stack(sample, addresses)
        yield f"{_amounts(values)} @ {at}\n{lines}\n"


def _amounts(values: tuple[int, ...]) -> str:
    inuse_objects, inuse_bytes, alloc_objects, alloc_bytes = values
    return f"{inuse_objects}: {inuse_bytes} [{alloc_objects}: {alloc_bytes}]"


_FORMS: dict[str, Callable[[str, Profile], Iterator[str]]] = {
    "goroutine": _counted,
    "threadcreate": _counted,
    "block": _delayed,
    "mutex": _delayed,
    "heap": _heap,
    "allocs": _heap,
}


def render_goroutines(dump: Dump, entries: tuple[Entry, ...]) -> str:
    """One block for each thread and task, as Go prints goroutines with `debug=2`; what Go has
    no line for is in lines that begin with `#`. Threads are "locked to thread"."""
    return "\n".join(_block(dump, entry) for entry in entries)


def _block(dump: Dump, entry: Entry) -> str:
    state = [state_of(entry).translate(_PLAIN)]
    age_ns = dump.age_ns(entry)
    if age_ns >= _MINUTE_NS:
        minutes = age_ns // _MINUTE_NS
        state.append(f"{minutes} minute{'s' if minutes > 1 else ''}")
    if entry.what is What.THREAD:
        state.append("locked to thread")
    lines = [f"goroutine {max(entry.number, 0)} [{', '.join(state)}]:"]
    lines += [f"# {note}" for note in notes(dump, entry)]
    for place in entry.frames:
        lines += [f"{place.function}(...)", f"\t{_where(place)}"]
    if not entry.frames:
        lines.append("# stack unknown")
    creator = created_by(entry)
    if creator is not None:
        lines.append(f"created by {creator.function}")
        lines += [f"\t{_where(creator)}"] if creator.path else []
    return "\n".join(lines) + "\n"
