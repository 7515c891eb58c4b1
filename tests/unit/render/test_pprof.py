"""pprof files there and back."""

import gzip

import pytest

from tests.support.models import model_of
from tests.support.stories.memory import memory
from tests.support.stories.profiles import waits
from tests.support.stories.waits import MS, profiled
from tracer.errors import TraceFileError
from viewer.analysis.profiles.waits import PROFILES
from viewer.commands.profiles import derive
from viewer.render.formats.pprof import read_pprof, render_pprof


@pytest.mark.parametrize("type_", PROFILES)
@pytest.mark.parametrize("story", [waits, profiled, memory])
def test_pprof_there_and_back(tmp_path, story, type_):
    """What is written is what is read; the same profile is the same file."""
    profile = derive(model_of(tmp_path, story()), type_)
    data = render_pprof(profile)
    assert read_pprof(data, "x") == profile
    assert render_pprof(profile) == data
    assert read_pprof(gzip.decompress(data), "x") == profile


def test_pprof_header(tmp_path):
    """When, how long, of what."""
    profile = derive(model_of(tmp_path, profiled()), "cpu")
    assert profile.duration_ns == 100 * MS
    assert profile.start_unix_ns == 1_700_000_001_000_000_000
    assert profile.comments == (
        "tracer: prog.py",
        "CPython 3.13.0, pid 600, cpu of x.pftrace",
        "[lost samples]",
    )


def test_go_reads_it_strictly(tmp_path):
    """What consumers stumble over: addresses unique and not 0, system names empty."""
    from viewer.render.formats.pprof import _profile_type

    raw = _profile_type()()
    profile = derive(model_of(tmp_path, profiled()), "cpu")
    raw.ParseFromString(gzip.decompress(render_pprof(profile)))
    addresses = [location.address for location in raw.location]
    assert len(set(addresses)) == len(addresses)
    (mapping,) = raw.mapping
    assert all(mapping.memory_start <= a < mapping.memory_limit for a in addresses)
    assert {function.system_name for function in raw.function} == {0}
    assert raw.string_table[0] == ""
    assert raw.string_table[raw.default_sample_type] == "cpu"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x1f\x8b",
        gzip.compress(b"no", mtime=0),
        b"\x0a\x02\x08\x63",
        b"\x0a\x04\x08\x01",
    ],
)
def test_not_a_profile(data):
    """One clear line."""
    with pytest.raises(TraceFileError, match="cannot read 'x': not a pprof profile"):
        read_pprof(data, "x")
