"""One record of a greenlet's switch says what three records say, however often it comes."""

import random

import pytest

from tests.support.records import FUNC, LINE, OTHER, SLEEP, Script
from tests.support.validator.strict import read_strict
from tracer import _core

LOOP = 1 << 28 | 1
TASKS = 4
JOB = _core.intern("job", "app.py:30 job")[1]
WAITS = (SLEEP, _core.intern("await switch", "")[0])


class Pair:
    """The same story twice: with switches, and with what these stand for."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.one, self.three = Script([]), Script([])
        self.ns = 2_000
        self.running = 1
        self.alive = set(range(1, TASKS + 1))
        self.add("LOOP_RUN", LOOP)
        for task in self.alive:
            self.add("TASK_NEW", task, (FUNC, JOB)[task % 2], LOOP)
        self.add("STEP_BEGIN", 1, LOOP)

    def add(
        self, kind: str, a: int = 0, b: int = 0, c: int = 0, *, tid: int = 1, text: bytes = b""
    ) -> None:
        for script in (self.one, self.three):
            script.add(self.ns, kind, a, b, c, tid=tid, text=text)

    def switch(self) -> None:
        left, to = self.running, self.chance.choice(sorted(self.alive - {self.running}))
        what = self.chance.choice(WAITS)
        self.one.add(self.ns, "SWITCH", left, what << 32 | to, LOOP)
        self.three.add(self.ns, "READY", to)
        self.three.add(self.ns, "STEP_AWAIT", left, what << 32)
        self.three.add(self.ns, "STEP_BEGIN", to, LOOP)
        self.running = to

    def other(self) -> None:
        """What comes between switches, and makes the next one say more."""
        waiting = self.chance.choice(sorted(self.alive - {self.running}))
        match self.chance.randrange(8):
            case 0:
                self.add("TASK_NAME", waiting, text=b"worker %d" % self.ns)
            case 1:
                self.add("READY", waiting)
            case 2:
                self.add("READY", self.running)
            case 3:
                self.add("POLL_BEGIN", LOOP)
            case 4:
                self.add("CB_BEGIN", JOB, 99)
            case 5:
                self.add("CB_END")
            case 6:
                self.add("STEP_AWAIT", self.running, WAITS[0] << 32 | LINE)
                self.add("READY", waiting)
                self.add("STEP_BEGIN", waiting, LOOP)
                self.running = waiting
            case 7:
                self.add("THREAD_ENDS", tid=OTHER)
                self.add("LOOP_RUN", LOOP + 1, tid=OTHER)
                self.add("LOOP_STOP", tid=OTHER)

    def go_on(self, *, late: bool) -> None:
        steps = (0, 1, 90, 300, 40_000, 3_000_000) + ((-70,) if late else ())
        self.ns = max(2_000, self.ns + self.chance.choice(steps))
        if self.chance.random() < 0.9:
            self.switch()
        else:
            self.other()


def said(script: Script, since_ns: int = 0, gone_ns: int = 0) -> list[str]:
    """All but how many bytes a length takes."""
    return [str(event) for event in read_strict(script.data(since_ns, gone_ns=gone_ns)).events]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_switches_again_and_again(seed: int, late: bool) -> None:
    """Whatever comes between them, and also if records come late."""
    pair = Pair(random.Random(seed))
    for _ in range(200):
        pair.go_on(late=late)
    assert said(pair.one) == said(pair.three)
    assert said(pair.one, 30_000) == said(pair.three, 30_000)
    assert said(pair.one, 60_000, 30_000) == said(pair.three, 60_000, 30_000)
    assert _core.status(pair.one.records, 1) == _core.status(pair.three.records, 1)


def test_pairs_that_share_a_place() -> None:
    """More pairs than are remembered: whoever comes next takes the place."""
    one, three = Script([]), Script([])
    count, ns = 70, 2_000
    for script in (one, three):
        script.add(1_500, "LOOP_RUN", LOOP)
        for task in range(1, count + 1):
            script.add(2_000, "TASK_NEW", task, FUNC, LOOP)
        script.add(2_000, "STEP_BEGIN", 1, LOOP)
    left, chance = 1, random.Random(15)
    for _ in range(3_000):
        ns += 500
        to = chance.choice([task for task in range(1, count + 1) if task != left])
        one.add(ns, "SWITCH", left, SLEEP << 32 | to, LOOP)
        three.add(ns, "READY", to)
        three.add(ns, "STEP_AWAIT", left, SLEEP << 32)
        three.add(ns, "STEP_BEGIN", to, LOOP)
        left = to
    assert said(one) == said(three)
