"""Profiles as text, of a trace and of a pprof file; what is written where."""

import io
import os
import resource
import threading

import pytest

from tests.support.stories.waits import MS, profiled
from tracer.errors import NotInTraceError, TraceFileError, UsageError
from viewer.analysis.profiles.profile import Place, Profile, Sample, totals
from viewer.commands.profiles import export, profile_of, show_profile, write_profile
from viewer.render.formats.pprof import render_pprof
from viewer.render.text.profiles import difference


def test_difference():
    """What grew and what shrank; profiles of different things are refused."""
    types = (("samples", "count"), ("cpu", "nanoseconds"))
    f, g = (Place("f", "a.py", 1),), (Place("g", "a.py", 9),)
    new = Profile(types, (Sample(f, (3, 30)), Sample(g, (1, 10))))
    old = Profile(types, (Sample(f, (1, 10)), Sample(g, (4, 40))))
    found = {row.function.function: row.flat for row in totals(difference(new, old).samples)}
    assert found == {"f": 20, "g": -30}
    with pytest.raises(UsageError, match="cannot compare"):
        difference(new, Profile((("x", "y"),), ()))


def shown(path, **options):
    out = io.StringIO()
    full = {"rows": 20, "peek": None, "source": None, "base": None} | options
    show_profile(path, "cpu", out=out, **full)
    return out.getvalue()


def test_top(tmp_path):
    """The table, of a trace and of the file made from it alike."""
    trace = tmp_path / "x.pftrace"
    trace.write_bytes(profiled().data())
    text = shown(trace, rows=3)
    assert text.splitlines()[-5:] == [
        "      flat  flat%   sum%        cum   cum%",
        "    680 ms    68%    68%     680 ms    68%  prog.work",
        "    200 ms    20%    88%     200 ms    20%  prog.save",
        "    100 ms    10%    98%     100 ms    10%  text.parse",
        "  … and 5 more (--rows)",
    ]
    written = write_profile(trace, "cpu", None, force=False)
    assert written == str(tmp_path / "x.cpu.pprof")
    assert shown(tmp_path / "x.cpu.pprof", rows=3) == text
    assert profile_of(tmp_path / "x.cpu.pprof", "cpu").total == 1000 * MS


def test_peek(tmp_path):
    """Callers above, callees below."""
    trace = tmp_path / "x.pftrace"
    trace.write_bytes(profiled().data())
    assert shown(trace, peek="serve$").splitlines()[-4:] == [
        "-" * 60,
        "               100 ms  100% |   prog.<module>",
        "         0     100 ms  | prog.serve",
        "               100 ms  100% |   text.parse",
    ]
    for way in ("peek", "source"):
        with pytest.raises(NotInTraceError, match="no function matches 'nothing'"):
            shown(trace, **{way: "nothing"})
    with pytest.raises(UsageError, match="not a regular expression"):
        shown(trace, peek="(")


def test_source(tmp_path):
    """Source lines with what they took."""
    source = tmp_path / "s.py"
    source.write_text("".join(f"line {n}\n" for n in range(1, 20)))
    at = str(source)
    types = (("samples", "count"), ("cpu", "nanoseconds"))
    profile = Profile(
        types,
        (
            Sample((Place("s.f", at, 5),), (1, 10 * MS)),
            Sample((Place("s.g", at, 15), Place("s.f", at, 12)), (2, 20 * MS)),
        ),
    )
    path = tmp_path / "p.pprof"
    path.write_bytes(render_pprof(profile))
    lines = shown(path, source="s.f").splitlines()
    assert lines[2].startswith("s.f ")
    assert lines[4:] == [
        "         .          .      3  line 3",
        "         .          .      4  line 4",
        "   10.0 ms    10.0 ms      5  line 5",
        "         .          .      6  line 6",
        "         .          .      7  line 7",
        "                    ⋮",
        "         .          .     10  line 10",
        "         .          .     11  line 11",
        "         .    20.0 ms     12  line 12",
        "         .          .     13  line 13",
        "         .          .     14  line 14",
    ]


def test_files_that_are_something_else(tmp_path):
    """Only a former profile is replaced, unless forced."""
    trace = tmp_path / "x.pftrace"
    trace.write_bytes(profiled().data())
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    with pytest.raises(TraceFileError, match="of another kind"):
        write_profile(trace, "cpu", str(other), force=False)
    assert other.read_text() == "mine"
    write_profile(trace, "cpu", str(other), force=True)
    write_profile(trace, "gc", str(other), force=False)
    assert profile_of(other, "cpu").types[0] == ("collections", "count")
    with pytest.raises(UsageError, match="pyarrow"):
        export(trace, "parquet", "cpu", None, force=False)
    with pytest.raises(TraceFileError, match="cannot read"):
        profile_of(tmp_path / "missing", "cpu")
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_pipes_and_links_stay_what_they_are(tmp_path):
    """What is no regular file is written to, not replaced; a link is followed."""
    trace = tmp_path / "x.pftrace"
    trace.write_bytes(profiled().data())
    pipe, link, place = (tmp_path / name for name in ("pipe", "link", "place.pprof"))
    os.mkfifo(pipe)
    link.symlink_to(place)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_profile(trace, "cpu", str(pipe), force=False)
    reader.join()
    write_profile(trace, "cpu", str(link), force=False)
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert read == [place.read_bytes()]


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    trace = tmp_path / "x.pftrace"
    trace.write_bytes(profiled().data())
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limit[1]))
    try:
        with pytest.raises(TraceFileError, match=r"^cannot write '.*x.cpu.pprof': File too"):
            write_profile(trace, "cpu", None, force=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in tmp_path.iterdir()] == ["x.pftrace"]
