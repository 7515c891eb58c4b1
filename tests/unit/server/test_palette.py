"""The colours of the page tell the states apart that are drawn side by side."""

import itertools
import re

import pytest

from viewer.server.site import static_files

THREADS = ("running", "native", "gil", "lock", "idle", "io", "sleep", "preempted", "off")
LOOPS = ("ready", "step", "blocked", "await", "callback", "select")
LEAST = 25  # between two colours, in a cube of 256


def colours(theme: str) -> dict[str, tuple[int, ...]]:
    text = static_files()["style.css"].decode()
    found = re.search(rf"^{re.escape(theme)} {{(.*?)^}}", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return {
        name: tuple(bytes.fromhex(value))
        for name, value in re.findall(r"--s-(\w+): #([0-9a-f]{6})", found[1])
    }


@pytest.mark.parametrize("theme", [":root", ":root.dark"])
@pytest.mark.parametrize("states", [THREADS + LOOPS, ("gc0", "gc1", "gc2")])
def test_states_differ(theme, states):
    """A thread that runs is no step of a task, and each kind of idleness is its own."""
    palette = colours(theme)
    near = [
        (one, other)
        for one, other in itertools.combinations(states, 2)
        if sum((a - b) ** 2 for a, b in zip(palette[one], palette[other], strict=True))
        < LEAST**2
    ]
    assert near == []
