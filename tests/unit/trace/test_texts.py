"""What a search through texts looks at, and which texts may be shown as they are."""

import random

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.engines import ENGINES
from viewer.trace.engine import BEST, in_python
from viewer.trace.shown import is_plain


@pytest.mark.parametrize("engine", ENGINES)
def test_lines_that_the_stack_before_ends_with_come_once(engine):
    texts = ["a\nb\nc", "site", "x\nb\nc", "xb\nc", "b\nc", "c", "d\nc\n", "d\nc\n", "\n"]
    assert engine.new_lines(texts) == ["a\nb\nc", "site", "x", "xb", "b", "c", "d\nc\n", ""]
    assert engine.new_lines([]) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_texts_that_begin_so_are_told_by_number(engine):
    texts = ["await sleep", "await", "lock: await ", "", "await é", "Await"]
    every = engine.upto(0, len(texts))
    assert engine.beginning(texts, every, "await ").tolist() == [0, 4]
    assert engine.beginning(texts, engine.upto(1, 3), "await").tolist() == [1]
    assert engine.beginning(texts, every, "").tolist() == [0, 1, 2, 3, 4, 5]
    assert engine.beginning(texts, engine.upto(0, 0), "await").tolist() == []


def test_numbers_beyond_the_texts_are_refused():
    numbers = BEST.upto(0, 3)
    with pytest.raises((ValueError, IndexError)):
        BEST.beginning(["a", "b"], numbers, "a")


@pytest.mark.parametrize("engine", ENGINES)
def test_no_line_is_missed(engine):
    """Each line of a text is in what is to be searched, whatever characters it has."""
    texts = [f"f{n % 3}\nmiddle {n % 2} é\nend → {n % 5}\nshared" for n in range(30)]
    found = {line for part in engine.new_lines(texts) for line in part.split("\n")}
    assert found == {line for text in texts for line in text.split("\n")}


@pytest.mark.parametrize("seed", range(20))
def test_twins_find_the_same_lines(seed):
    choose = random.Random(seed)
    words = ["a", "b", "ab", "", "é", "→", "long " * 30, "long " * 29 + "é"]
    texts = ["\n".join(choose.choices(words, k=choose.randrange(1, 6))) for _ in range(200)]
    assert BEST.new_lines(texts) == in_python().new_lines(texts)


@pytest.mark.parametrize(
    ("text", "plain"),
    [(b"", True), (b"a\nb ~", True), (b"\x7f", False), (b"\t", False), (b"\x1f", False)],
)
@pytest.mark.parametrize("behind", [0, 15, 63, 64, 200])
def test_what_may_be_shown(text, plain, behind):
    assert is_plain([b"x", b"y" * behind + text]) is plain
    assert is_plain([text + b"y" * behind, "é".encode()]) is False


@pytest.mark.parametrize("behind", [0, 15, 63, 64, 200])
@pytest.mark.parametrize(
    ("end", "plain"), [("", True), ("\n", True), ("\x1b", False), ("é", False)]
)
def test_decoders_tell_odd_texts(end, plain, behind):
    trace = TraceBuilder()
    name = "x" + "y" * behind + end + "y" * behind
    trace.instant(trace.tracer, 0, name, "category")
    for engine in (in_python(), BEST):
        events = engine.decode(trace.data())
        assert name in events.strings
        assert events.is_plain is plain


def test_very_many_texts_are_each_one_string():
    """The table of texts grows; long ones that differ anywhere are told apart."""
    trace = TraceBuilder()
    names = [f"{'a' * (n % 97)}{n}{'b' * (n % 89)}" for n in range(3_000)]
    for n, name in enumerate(names * 2):
        trace.instant(trace.tracer, n, name, "category")
    events = BEST.decode(trace.data())
    found = [events.strings[name] for name in events.name]
    assert found[-len(names) * 2 :] == names * 2
    assert len(set(events.strings)) == len(events.strings)
