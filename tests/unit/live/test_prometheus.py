"""The counters as Prometheus reads them."""

import re

import pytest

from tests.support.counters import coroutine, counters, loop
from tracer.live.prometheus import text

SAMPLE = re.compile(r"([a-z_]+)(\{(?:[a-z]+=\"(?:[^\"\\]|\\.)*\",?)+\})? ([0-9.]+)")


def samples(page: str) -> dict[str, float]:
    """By name and labels; each line must be one that Prometheus accepts."""
    found: dict[str, float] = {}
    for line in page.splitlines():
        if line.startswith("# "):
            continue
        match = SAMPLE.fullmatch(line)
        assert match is not None, line
        key = match[1] + (match[2] or "")
        assert key not in found, f"{key} comes twice"
        found[key] = float(match[3])
    return found


def test_values_in_seconds() -> None:
    found = samples(text(counters()))
    assert found["tracer_gil_held_seconds_total"] == 1.5
    assert found['tracer_thread_state_seconds_total{state="GIL wait"}'] == 0.25
    assert found['tracer_tasks{state="ready"}'] == 3
    assert found['tracer_gc_pause_seconds_total{generation="2"}'] == 0.02
    assert found["tracer_threads"] == 2


def test_each_metric_has_help_and_type_once_before_its_samples() -> None:
    seen: list[str] = []
    for line in text(counters()).splitlines():
        if line.startswith("# TYPE "):
            seen.append(line.split()[2])
        elif not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0]
            assert re.sub("_(bucket|sum|count)$", "", name) == seen[-1] or name == seen[-1]
    assert len(seen) == len(set(seen))


def test_histogram_is_cumulative_and_ends_with_all() -> None:
    rows = [[1 << 16, 5], [3 << 16, 2], [1 << 20, 1], [0, 4]]
    page = text(counters(loops=[loop(lag_buckets=rows)]))
    found = samples(page)
    label = 'tracer_loop_lag_seconds_bucket{loop="asyncio loop @MainThread",id="1",le='
    assert found[f'{label}"0.000065536"}}'] == 5
    assert found[f'{label}"0.000262144"}}'] == 7
    assert found[f'{label}"0.001048576"}}'] == 8
    assert found[f'{label}"17.179869184"}}'] == 8
    assert found[f'{label}"+Inf"}}'] == 12


def test_without_a_gil_there_are_no_numbers_of_it() -> None:
    assert "gil_held" not in text(counters(gil=None))


@pytest.mark.parametrize("name", ['a "b"', "back\\slash", "line\nend"])
def test_labels_are_escaped(name: str) -> None:
    page = text(counters(loops=[loop(name=name)]))
    samples(page)
    escaped = name.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    assert f'loop="{escaped}"' in page


def test_two_functions_of_one_name_and_place_add_up() -> None:
    found = samples(text(counters(coroutines=[coroutine(), coroutine(made=2)])))
    label = '{coro="handler",site="app.py:3 handler"}'
    assert found[f"tracer_coroutine_tasks_total{label}"] == 42
    assert found[f"tracer_coroutine_steps_total{label}"] == 160
