"""What a search through texts looks at, and which texts may be shown as they are."""

import random

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.engines import ENGINES
from viewer.trace.engine import BEST, in_python
from viewer.trace.shown import is_plain
from viewer.trace.sites import Site


@pytest.mark.parametrize("engine", ENGINES)
def test_each_line_comes_once_without_its_digits(engine):
    texts = ["a1\nb\nc", "site", "x\nb\nc", "xb\nc", "b\nc", "c", "d\nc\n", "a2\nb\nc", "\n"]
    assert engine.lines(engine.strings(texts)) == b"a\nb\nc\nsite\nx\nxb\nd\n"
    assert engine.lines(engine.strings([])) == b""
    assert engine.lines(engine.strings([""])) == b""


@pytest.mark.parametrize("engine", ENGINES)
def test_texts_that_begin_so_are_told_by_number(engine):
    texts = engine.strings(["await sleep", "await", "lock: await ", "", "await é", "Await"])
    every = engine.upto(0, len(texts))
    assert engine.beginning(texts, every, "await ").tolist() == [0, 4]
    assert engine.beginning(texts, engine.upto(1, 3), "await").tolist() == [1]
    assert engine.beginning(texts, every, "").tolist() == [0, 1, 2, 3, 4, 5]
    assert engine.beginning(texts, every, "await é").tolist() == [4]
    assert engine.beginning(texts, engine.upto(0, 0), "await").tolist() == []


def test_numbers_beyond_the_texts_are_refused():
    numbers = BEST.upto(0, 3)
    with pytest.raises((ValueError, IndexError)):
        BEST.beginning(BEST.strings(["a", "b"]), numbers, "a")


@pytest.mark.parametrize("engine", ENGINES)
def test_texts_are_a_sequence_that_grows(engine):
    texts = engine.strings(["a", "", "é → x", "a"])
    texts.append("b")
    texts.append("a")
    assert [*texts] == ["a", "", "é → x", "a", "b", "a"]
    assert [texts[-1], texts[2], len(texts)] == ["a", "é → x", 6]
    assert [*map(texts.find, ("a", "", "é → x", "b", "c", "a "))] == [0, 1, 2, 4, -1, -1]
    site = Site("b", "library.call")
    texts[4] = site
    assert texts[4] is site
    for number in (6, -7):
        with pytest.raises(IndexError):
            texts[number]
    for number in range(1_000):
        texts.append(f"text {number}")
    assert texts.find("text 999") == 1_005
    assert texts[1_005] == "text 999"


@pytest.mark.parametrize("engine", ENGINES)
def test_stacks_whose_innermost_frame_may_be_a_librarys(engine):
    below = "\n/app/main.py:3 main"
    of_user = ["/app/a.py:1 f", "/app/a b:2.py:-1 f g", "/x:3 <lambda>", "/:1 f"]
    others = [
        *("app.py:1 f", "/usr/lib/python3.13/x.py:3 f", "/venv/site-packages/a.py:1 f", ""),
        *("/app/a.py", "/app/a.py:1", "/app/a.py:1 ", "/app/a.py:x f", "?:0"),
        "/app/" + "deep/" * 300 + "/lib/x.py:1 f",
    ]
    texts = engine.strings(
        [f"{frame}{end}" for frame in of_user + others for end in ("", below)]
    )
    assert engine.calling(texts).tolist() == [
        number
        for number, text in enumerate(texts)
        if "\n" in text and number >= 2 * len(of_user)
    ]


def _decoded(texts):
    trace = TraceBuilder()
    for number, text in enumerate(texts):
        trace.instant(trace.tracer, number, text, "category")
    return [(engine, engine.decode(trace.data()).strings) for engine in (BEST, in_python())]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("odd", ["é", "e"])
def test_twins_keep_the_same_texts(seed, odd):
    """Stacks that share their last lines, or a part of a line, with the one before."""
    choose = random.Random(seed)
    words = ["a", "b", "ab", "", odd, "7", "long " * 30, "long " * 29 + odd]
    wanted = ["\n".join(choose.choices(words, k=choose.randrange(1, 6))) for _ in range(200)]
    (best, one), (python, other) = _decoded(wanted := [text for text in wanted if text])
    assert [*one] == [*other]
    assert {*wanted} <= {*one}
    asked = [*wanted, *(text[:-1] for text in wanted), *(text + "\na" for text in wanted)]
    assert [*map(one.find, asked)] == [*map(other.find, asked)]
    assert {*best.lines(one).split(b"\n")} == {*python.lines(other).split(b"\n")}
    assert best.calling(one).tolist() == python.calling(other).tolist()
    every = best.upto(0, len(one))
    for prefix in ("a", "long ", f"{odd}\n", "a\nb", words[-2] + "\na"):
        found = best.beginning(one, every, prefix).tolist()
        assert found == python.beginning(other, every, prefix).tolist()


def test_a_stack_that_the_one_before_has_whole_adds_no_line():
    """Not even an empty one: what is its own is nothing."""
    told = [{*e.lines(texts).split(b"\n")} for e, texts in _decoded(["a\nb\nc", "b\nc"])]
    assert told[0] == told[1]
    assert b"" not in told[0]


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
