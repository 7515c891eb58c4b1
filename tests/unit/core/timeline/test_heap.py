"""Records of sampled allocations become instants, and a counter of what they stand for."""

from tests.support.records import MAIN, OTHER, Script, a_task
from tests.support.validator.strict import read_strict
from tracer import schema as s


def begun(mean: int = 1 << 19) -> Script:
    script = Script([])
    script.add(1_000, "HEAP_BEGIN", b=mean)
    return script


def instants(script: Script) -> list[tuple[str, int, dict[str, int | str]]]:
    events = read_strict(script.data()).events
    return [(e.name, e.time_ns, e.args) for e in events if e.category == s.CAT_HEAP]


def test_a_block_from_begin_to_end() -> None:
    script = begun()
    script.add(2_000, "HEAP_TAKEN", b=7, c=1_000)
    script.add(3_000, "HEAP_FREED", b=7, tid=OTHER)
    assert instants(script) == [
        (s.SAMPLING, 1_000, {s.ARG_MEAN_BYTES: 1 << 19}),
        (s.ALLOC, 2_000, {s.ARG_BLOCK: 7, s.ARG_BYTES: 1_000, s.ARG_TID: MAIN}),
        (s.FREE, 3_000, {s.ARG_BLOCK: 7, s.ARG_TID: OTHER}),
    ]


def test_the_task_that_runs_allocates() -> None:
    script = Script([])
    a_task(script)
    script.add(2_500, "HEAP_BEGIN", b=1)
    script.add(3_000, "STEP_BEGIN", 1)
    script.add(3_100, "HEAP_TAKEN", b=1, c=50)
    script.add(3_200, "STEP_YIELD", 1)
    script.add(3_300, "HEAP_TAKEN", b=2, c=50)
    (_, first, second) = instants(script)
    assert first[2][s.ARG_TASK] == 1
    assert s.ARG_TASK not in second[2]


def test_a_collection_says_what_it_freed() -> None:
    """What its own thread freed meanwhile: neither before, nor after, nor elsewhere."""
    script = begun(1)
    for block in range(1, 6):
        script.add(2_000, "HEAP_TAKEN", b=block, c=100 * block)
    script.add(3_000, "HEAP_FREED", b=1)
    script.add(4_000, "GC_BEGIN", 2)
    script.add(5_000, "HEAP_FREED", b=2)
    script.add(5_100, "HEAP_FREED", b=3, tid=OTHER)
    script.add(5_200, "HEAP_FREED", b=4)
    script.add(6_000, "GC_END", 2, 9, 0)
    script.add(7_000, "HEAP_FREED", b=5)
    script.add(8_000, "GC_BEGIN", 0)
    script.add(9_000, "GC_END", 0, 0, 0)
    events = read_strict(script.data()).events
    ends = [
        (e.time_ns, e.args.get(s.ARG_FREED_BYTES)) for e in events if s.ARG_COLLECTED in e.args
    ]
    assert sorted(ends) == [(6_000, 600), (6_000, 600), (9_000, 0), (9_000, 0)]


def test_a_free_without_its_allocation_is_left_out() -> None:
    """The allocation was dropped, or belongs to an earlier recording."""
    script = begun()
    script.add(3_000, "HEAP_FREED", b=7)
    assert [name for name, _, _ in instants(script)] == [s.SAMPLING]


def test_without_the_signal_nothing_is_said_of_it() -> None:
    """A trace without the heap has neither its track nor its names."""
    script = Script([])
    a_task(script)
    script.add(3_000, "HEAP_TAKEN", b=1, c=50)
    assert s.CAT_HEAP.encode() not in script.data()
    assert s.ARG_MEAN_BYTES.encode() not in script.data()
    assert s.ARG_MEAN_BYTES.encode() in begun().data()


def test_an_allocation_whose_place_has_no_name_yet() -> None:
    """It is held back, and the free of its block with it."""
    script = begun()
    script.add(2_000, "HEAP_TAKEN", 1 << 30, b=7, c=1_000)
    script.add(3_000, "HEAP_FREED", b=7)
    assert [name for name, _, _ in instants(script)] == [s.SAMPLING]


def test_every_chunk_names_what_collections_freed() -> None:
    """Also a chunk with no other event of the heap, as after a flight recording's head."""
    script = begun(1)
    script.add(4_000, "GC_BEGIN", 0)
    script.add(5_000, "GC_END", 0, 1, 0)
    trace = read_strict(script.data(since_ns=3_000))
    told = [e.args.get(s.ARG_FREED_BYTES) for e in trace.events if s.ARG_COLLECTED in e.args]
    assert told == [0, 0]
