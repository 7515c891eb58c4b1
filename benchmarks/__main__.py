"""`python -m benchmarks`: what recording costs, one table a question, medians of ratios."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import sys
import sysconfig

from benchmarks.allocations import pair_costs
from benchmarks.calls import call_costs
from benchmarks.children import import_ms, instructions_per_unit, report_cost, shape_costs
from benchmarks.heap import ALLOCATING, heap_costs, heap_instructions
from benchmarks.page import first_paint
from benchmarks.pairs import OFF, OFF_AGAIN, ON, VIZTRACER, Comparison, compare
from benchmarks.processes import service_ratio, start_cost
from benchmarks.workloads import PAIRS, WORKLOADS

ECHO = "TCP echo (streams)"
CALLGRIND_UNITS = 400
MILLION = 1_000_000
IMPORTS = ("from tracer import region", "import tracer.recorder")


def print_table(rows: list[list[str]]) -> None:
    """Columns as wide as their widest cell, the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip(), flush=True)
    print()


def show(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def comparison_row(comparison: Comparison, arms: list[str]) -> list[str]:
    recorded = comparison.recorded
    per_event = recorded.events or None
    row = [
        comparison.workload.name,
        f"{comparison.off_ms():.0f}",
        *(f"{comparison.ratio(arm, 'main_ns'):.3f}" for arm in (OFF_AGAIN, ON)),
        f"{comparison.ratio(ON, 'process_ns'):.3f}",
        show(comparison.workload.budget, ".2f"),
        show(comparison.ns_per_event(), ".0f"),
        str(recorded.events // len(comparison.rounds)),
        show(per_event and recorded.raw_bytes / per_event, ".1f"),
        show(per_event and recorded.gzip_bytes / per_event, ".1f"),
        str(recorded.dropped),
    ]
    if VIZTRACER in arms:
        row.append(f"{comparison.ratio(VIZTRACER, 'main_ns'):.2f}")
    return row


def print_ratios(rounds: int, scale: float, peer: bool) -> None:
    arms = [OFF, OFF_AGAIN, ON, *([VIZTRACER] if peer else [])]
    print(f"CPU time, traced over untraced: medians of {rounds} interleaved rounds")
    heading = [
        *("work", "off ms", "off/off", "main ×", "process ×", "budget ×"),
        *("ns/event", "events", "B/event", "gz", "dropped"),
    ]
    rows = [heading + (["viztracer ×"] if peer else [])]
    rows += [comparison_row(compare(w, arms, rounds, scale), arms) for w in WORKLOADS]
    print_table(rows)


def print_pairs(rounds: int, scale: float) -> None:
    """Many short rounds: what a pair adds is less than what a busy machine does."""
    rounds, scale = rounds * 3, scale / 30
    print(f"CPU time of a take and release, in ns: least of {rounds} interleaved rounds")
    rows = [["work", "untraced", "again", "traced", "added", "budget"]]
    for workload in PAIRS:
        found = compare(workload, [OFF, OFF_AGAIN, ON], rounds, scale)
        off, again, on = (found.unit_ns(arm) for arm in (OFF, OFF_AGAIN, ON))
        cells = [f"{off:.1f}", f"{again:.1f}", f"{on:.1f}", f"{on - min(off, again):+.1f}"]
        rows.append([workload.name, *cells, show(workload.budget, ".0f")])
    print_table(rows)


def print_import(runs: int) -> None:
    for statement in IMPORTS:
        least, median = import_ms(statement, runs)
        print(f"{statement}: {median:.1f} ms (median of {runs}), {least:.1f} ms at least")
    print()


def print_calls(repeat: int) -> None:
    rows = [["a program's own events", "off ns", "on ns"]]
    rows += [[name, f"{off:.0f}", f"{on:.0f}"] for name, off, on in call_costs(repeat)]
    print_table(rows)


def print_reports(sizes: list[int]) -> None:
    rows = [["tracer report", "MB", "CPU s", "MiB"]]
    for events in sizes:
        cost = report_cost(events)
        size = f"{cost.trace_bytes / 1e6:.1f}"
        name = f"{cost.events / MILLION:g} M events"
        rows.append([name, size, f"{cost.cpu_s:.2f}", f"{cost.memory_mib:.0f}"])
    print_table(rows)


def print_shapes(events: int, runs: int) -> None:
    print(f"Traces of {events / MILLION:g} M events, by shape: least CPU of {runs} reports")
    rows = [["tracer report", "MB", "CPU s", "MiB"]]
    for name, cost in shape_costs(events, runs):
        cells = [
            f"{cost.trace_bytes / 1e6:.1f}",
            f"{cost.cpu_s:.2f}",
            f"{cost.memory_mib:.0f}",
        ]
        rows.append([name, *cells])
    print_table(rows)


def print_first_paints(sizes: list[int], rounds: int) -> None:
    print(f"First paint of the page in a browser that runs already: medians of {rounds}, in s")
    rows = [["tracer view", "address", "drawn after", "both", "budget"]]
    for events, budget in zip(sizes, (1.0, 3.0), strict=False):
        told = first_paint(events, rounds)
        if isinstance(told, str):
            print(f"not measured: {told}\n")
            return
        cells = [f"{each:.2f}" for each in (told.address_s, told.drawn_s, told.both_s)]
        rows.append([f"{events / MILLION:g} M events", *cells, f"{budget:.0f}"])
    print_table(rows)


def print_instructions(amount: int) -> None:
    print("User instructions per echo (callgrind)")
    rows = [["", "main thread", "process"]]
    off = instructions_per_unit(ECHO, OFF, amount)
    on = instructions_per_unit(ECHO, ON, amount)
    for name, counts in (("untraced", off), ("traced", on)):
        rows.append([name, *(f"{count:.0f}" for count in counts)])
    rows.append(["ratio", *(f"{b / a:.4f}" for a, b in zip(off, on, strict=True))])
    print_table(rows)


def print_heap(rounds: int, scale: float) -> None:
    print(f"Sampled allocations, CPU time with and without: medians of {rounds} rounds")
    rows = [["work", "off ms", "off/off", "main ×", "process ×", "budget ×"]]
    for cost in heap_costs(rounds, scale):
        ratios = (f"{ratio:.3f}" for ratio in (cost.noise, cost.main_ratio, cost.ratio))
        cells = [f"{cost.off_ms:.0f}", *ratios]
        rows.append([cost.workload.name, *cells, show(cost.workload.budget, ".2f")])
    print_table(rows)
    print(f"CPU time in ns of a malloc and its free, no samples: least of {rounds} rounds")
    rows = [["bytes", "untraced", "again", "heap", "added", "budget"]]
    for pair in pair_costs(rounds, scale):
        cells = [f"{ns:.1f}" for ns in (pair.off, pair.again, pair.on)]
        rows.append([f"{pair.size:,}", *cells, f"{pair.added:+.1f}", f"{pair.budget:.0f}"])
    print_table(rows)


def print_heap_instructions() -> None:
    print("Sampled allocations, user instructions per unit (callgrind), and their ratio")
    rows = [["work", "untraced", "main thread", "ratio", "process", "ratio"]]
    for workload in ALLOCATING:
        (off, off_all), (on, on_all) = heap_instructions(workload, workload.amount // 50)
        cells = [f"{on:.1f}", f"{on / off:.4f}", f"{on_all:.1f}", f"{on_all / off_all:.4f}"]
        rows.append([workload.name, f"{off:.1f}", *cells])
    print_table(rows)


def print_processes(pairs: int, rounds: int, requests: int) -> None:
    print(f"A child's first line and its CPU time, in ms: medians of {pairs} pairs")
    rows = [["start", "untraced", "added", "budget", "CPU untraced", "CPU added"]]
    for kind, budget in (("fork", 2), ("spawn", 15)):
        cost = start_cost(kind, pairs)
        cells = [f"{cost.first:.2f}", f"{cost.first_added:+.2f}", f"{budget}"]
        rows.append([kind, *cells, f"{cost.cpu:.2f}", f"{cost.cpu_added:+.2f}"])
    print_table(rows)
    if importlib.util.find_spec("gunicorn") is None:
        print("services: not measured, since gunicorn is not installed\n")
        return
    print(f"CPU time of a service, traced over untraced: medians of {rounds} rounds")
    one, four = (service_ratio(workers, rounds, requests) for workers in (1, 4))
    rows = [["workers", "ratio", "points apart", "budget"]]
    rows += [["1", f"{one:.3f}"] + [""] * 2]
    rows += [["4", f"{four:.3f}", f"{100 * (four - one):+.1f}", "3"]]
    print_table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small amounts; numbers are noise"
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--viztracer", action="store_true", help="a column for the peer")
    parser.add_argument("--pairs", action="store_true", help="locks and the GIL only")
    parser.add_argument(
        "--shapes", action="store_true", help="reports on traces of each shape only"
    )
    parser.add_argument("--page", action="store_true", help="the page's first paint only")
    parser.add_argument("--heap", action="store_true", help="sampled allocations only")
    parser.add_argument("--processes", action="store_true", help="children only")
    parser.add_argument("--callgrind", action="store_true", help="count instructions instead")
    options = parser.parse_args()
    if options.viztracer and importlib.util.find_spec("viztracer") is None:
        parser.error("--viztracer: viztracer is not installed")
    if options.callgrind and shutil.which("valgrind") is None:
        parser.error("--callgrind: valgrind is not installed")
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs,"
        f" built with {sysconfig.get_config_var('OPT')}\n"
    )
    sys.stdout.flush()
    if options.callgrind:
        if options.heap:
            print_heap_instructions()
        else:
            print_instructions(CALLGRIND_UNITS)
        return
    rounds, scale = (3, 0.02) if options.quick else (options.rounds, 1.0)
    sizes = [MILLION // 10] if options.quick else [MILLION, 5 * MILLION]
    if options.shapes:
        print_shapes(sizes[0], min(rounds, 5))
        return
    if options.page:
        print_first_paints(sizes, rounds)
        return
    if options.heap:
        print_heap(rounds, scale)
        return
    if options.processes:
        print_processes(*((3, 3, 40) if options.quick else (60, 25, 200)))
        return
    print_pairs(rounds, scale)
    if options.pairs:
        return
    print_ratios(rounds, scale, options.viztracer)
    print_import(3 if options.quick else 15)
    print_calls(20 if options.quick else 1000)
    print_heap(rounds, scale)
    print_processes(*((3, 3, 40) if options.quick else (60, 25, 200)))
    print_reports(sizes)
    print_first_paints(sizes, min(rounds, 5))


if __name__ == "__main__":
    main()
