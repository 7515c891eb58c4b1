"""Profiles as pprof files (gzipped protobuf), both ways.

The message types are built at run time from the table below, so there is no generated code
that depends on a version of protobuf.
"""

import gzip
import zlib
from functools import cache
from typing import Any

from tracer.errors import TraceFileError
from viewer.analysis.profiles.profile import Place, Profile, Sample

# perftools.profiles: message -> (field, number, type), "*" for repeated ones.
_MESSAGES = {
    "ValueType": (("type", 1, "int64"), ("unit", 2, "int64")),
    "Label": (("key", 1, "int64"), ("str", 2, "int64"), ("num", 3, "int64")),
    "Sample": (
        ("location_id", 1, "*uint64"),
        ("value", 2, "*int64"),
        ("label", 3, "*Label"),
    ),
    "Mapping": (
        ("id", 1, "uint64"),
        ("memory_start", 2, "uint64"),
        ("memory_limit", 3, "uint64"),
        ("filename", 5, "int64"),
        ("has_functions", 7, "bool"),
        ("has_filenames", 8, "bool"),
        ("has_line_numbers", 9, "bool"),
    ),
    "Line": (("function_id", 1, "uint64"), ("line", 2, "int64")),
    "Location": (
        ("id", 1, "uint64"),
        ("mapping_id", 2, "uint64"),
        ("address", 3, "uint64"),
        ("line", 4, "*Line"),
    ),
    "Function": (
        ("id", 1, "uint64"),
        ("name", 2, "int64"),
        ("system_name", 3, "int64"),
        ("filename", 4, "int64"),
        ("start_line", 5, "int64"),
    ),
    "Profile": (
        ("sample_type", 1, "*ValueType"),
        ("sample", 2, "*Sample"),
        ("mapping", 3, "*Mapping"),
        ("location", 4, "*Location"),
        ("function", 5, "*Function"),
        ("string_table", 6, "*string"),
        ("time_nanos", 9, "int64"),
        ("duration_nanos", 10, "int64"),
        ("period_type", 11, "ValueType"),
        ("period", 12, "int64"),
        ("comment", 13, "*int64"),
        ("default_sample_type", 14, "int64"),
    ),
}
_GZIP_LEVEL = 6
_MAPPING = "python"  # not a path: some versions of pprof panic on a real one without addresses
_ADDRESS_BITS = 40


@cache
def _profile_type() -> Any:
    """The class of the Profile message. Imports protobuf only when it is needed."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="tracer/profile.proto", package="perftools.profiles", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, type_ in fields:
            plain = type_.lstrip("*")
            label = field_type.LABEL_REPEATED if type_ != plain else field_type.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if plain in _MESSAGES:
                added.type = field_type.TYPE_MESSAGE
                added.type_name = f".perftools.profiles.{plain}"
            else:
                added.type = getattr(field_type, f"TYPE_{plain.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName("perftools.profiles.Profile")
    return message_factory.GetMessageClass(found)


class Addresses:
    """Addresses for places, since pprof knows functions by them."""

    def __init__(self) -> None:
        self._taken: set[int] = {0}
        self._known: dict[Place, int] = {}

    def of(self, place: Place) -> int:
        """Made from the place alone, so equal in all files: readers merge by it."""
        if place in self._known:
            return self._known[place]
        text = f"{place.path}\0{place.function}\0{place.line}".encode()
        found = zlib.crc32(text) << 8 | zlib.adler32(text) & 0xFF
        while found in self._taken:
            found = (found + 1) % (1 << _ADDRESS_BITS)
        self._taken.add(found)
        self._known[place] = found
        return found


class _Writer:
    """Strings, functions and locations of one file, each once."""

    def __init__(self) -> None:
        self.out = _profile_type()()
        self.strings: dict[str, int] = {"": 0}
        self.functions: dict[tuple[str, str], int] = {}
        self.locations: dict[Place, int] = {}
        self.addresses = Addresses()

    def string(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))

    def function(self, place: Place) -> int:
        # pprof strips <...> from a name that is also the system name, so that stays empty.
        key = (place.function, place.path)
        if key not in self.functions:
            self.functions[key] = len(self.functions) + 1
            self.out.function.add(
                id=self.functions[key], name=self.string(key[0]), filename=self.string(key[1])
            )
        return self.functions[key]

    def location(self, place: Place) -> int:
        if place not in self.locations:
            self.locations[place] = len(self.locations) + 1
            added = self.out.location.add(
                id=self.locations[place], mapping_id=1, address=self.addresses.of(place)
            )
            added.line.add(function_id=self.function(place), line=place.line)
        return self.locations[place]

    def sample(self, sample: Sample) -> None:
        added = self.out.sample.add(value=sample.values)
        added.location_id.extend(map(self.location, sample.frames))
        for key, value in sample.labels:
            label = added.label.add(key=self.string(key))
            if isinstance(value, str):
                label.str = self.string(value)
            else:
                label.num = value


def render_pprof(profile: Profile) -> bytes:
    """The profile as a .pb.gz; the same profile gives the same bytes."""
    writer = _Writer()
    out = writer.out
    for name, unit in profile.types:
        out.sample_type.add(type=writer.string(name), unit=writer.string(unit))
    out.mapping.add(
        id=1,
        memory_start=1,
        memory_limit=1 << _ADDRESS_BITS,
        filename=writer.string(_MAPPING),
        has_functions=True,
        has_filenames=True,
        has_line_numbers=True,
    )
    for sample in profile.samples:
        writer.sample(sample)
    name, unit, out.period = profile.period
    out.period_type.type, out.period_type.unit = writer.string(name), writer.string(unit)
    out.time_nanos, out.duration_nanos = profile.start_unix_ns, profile.duration_ns
    out.comment.extend(map(writer.string, profile.comments))
    out.default_sample_type = writer.string(profile.types[-1][0])
    out.string_table.extend(writer.strings)
    return gzip.compress(out.SerializeToString(), _GZIP_LEVEL, mtime=0)


def read_pprof(data: bytes, name: str) -> Profile:
    """Reads any pprof file, tracer's or Go's, gzipped or plain. Raises TraceFileError."""
    from google.protobuf.message import DecodeError

    raw = _profile_type()()
    try:
        raw.ParseFromString(gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)
        profile = _taken_apart(raw)
    except (DecodeError, EOFError, OSError, zlib.error, IndexError, KeyError, ValueError) as e:
        raise TraceFileError(f"cannot read '{name}': not a pprof profile ({e}).") from None
    if not profile.types:
        raise TraceFileError(f"cannot read '{name}': not a pprof profile (no sample types).")
    return profile


def _taken_apart(raw: Any) -> Profile:
    strings = list(raw.string_table) or [""]
    functions = {f.id: (strings[f.name], strings[f.filename]) for f in raw.function}
    locations: dict[int, tuple[Place, ...]] = {0: ()}
    for location in raw.location:
        lines = tuple(Place(*functions[li.function_id], li.line) for li in location.line)
        locations[location.id] = lines or (Place(f"{location.address:#x}"),)
    types = [(strings[t.type], strings[t.unit]) for t in raw.sample_type]
    if any(len(sample.value) != len(types) for sample in raw.sample):
        raise ValueError("a sample has more or fewer values than there are types")
    # The type that the file shows first comes last, as in tracer's own profiles.
    default = strings[raw.default_sample_type]
    order = sorted(range(len(types)), key=lambda i: types[i][0] == default)
    samples = tuple(
        Sample(
            tuple(place for id_ in sample.location_id for place in locations[id_]),
            tuple(sample.value[i] for i in order),
            tuple(
                sorted(
                    (strings[a.key], strings[a.str] if a.str else a.num) for a in sample.label
                )
            ),
        )
        for sample in raw.sample
    )
    period = raw.period_type
    return Profile(
        tuple(types[i] for i in order),
        samples,
        (strings[period.type], strings[period.unit], raw.period),
        raw.time_nanos,
        raw.duration_nanos,
        tuple(strings[i] for i in raw.comment),
    )
