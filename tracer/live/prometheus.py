"""The counters of a live recording in Prometheus' text format. Names and labels are stable."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

NS = 1e-9
type Counters = Mapping[str, Any]
type Labels = Mapping[str, object]


@dataclass
class Family:
    """One metric: samples with their labels."""

    name: str
    kind: str
    help: str
    samples: list[tuple[str, Labels, float]] = field(default_factory=list)

    def add(self, value: float, suffix: str = "", /, **labels: object) -> None:
        self.samples.append((suffix, labels, value))

    def lines(self) -> Iterator[str]:
        if not self.samples:
            return
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        for suffix, labels, value in self.samples:
            yield f"{self.name}{suffix}{_labelled(labels)} {_number(value)}"


def text(counters: Counters) -> str:
    """The whole page."""
    parts = (_process, _threads, _loops, _coroutines, _locks, _collections)
    lines = [line for part in parts for family in part(counters) for line in family.lines()]
    return "".join(f"{line}\n" for line in lines)


def _labelled(labels: Labels) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{name}="{_escaped(str(value))}"' for name, value in labels.items())
    return f"{{{inside}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.9f}".rstrip("0").rstrip(".")


def _process(c: Counters) -> Iterator[Family]:
    recorder, gil = c["recorder"], c["gil"]
    info = Family("tracer_recording_info", "gauge", "The recording; always 1.")
    info.add(1, pid=c["pid"], python=c["python"], mode=c["mode"])
    yield info
    single = [
        ("tracer_recording_seconds", "gauge", "How long it has run.", c["duration_ns"] * NS),
        (
            "tracer_recorder_cpu_seconds_total",
            "counter",
            "CPU time of the recorder's own thread.",
            recorder["overhead_ns"] * NS,
        ),
        ("tracer_events_total", "counter", "Events recorded.", recorder["events"]),
        (
            "tracer_dropped_events_total",
            "counter",
            "Events that found no room.",
            recorder["dropped"],
        ),
        ("tracer_written_bytes_total", "counter", "Bytes written.", recorder["bytes"]),
        (
            "tracer_resident_bytes",
            "gauge",
            "Resident memory of the process.",
            c["memory"]["rss_bytes"],
        ),
    ]
    if gil is not None:
        held, waited = gil["held_ns"] * NS, gil["waited_ns"] * NS
        single += [
            ("tracer_gil_held_seconds_total", "counter", "Time the GIL was held.", held),
            (
                "tracer_gil_waited_seconds_total",
                "counter",
                "Time threads waited for the GIL, added up.",
                waited,
            ),
        ]
    for name, kind, help_text, value in single:
        family = Family(name, kind, help_text)
        family.add(value)
        yield family
    tasks = Family("tracer_tasks", "gauge", "Tasks that exist, by state.")
    for state in ("ready", "running", "awaiting"):
        tasks.add(c["tasks"][state], state=state)
    yield tasks


def _threads(c: Counters) -> Iterator[Family]:
    threads = Family("tracer_threads", "gauge", "Threads that exist.")
    threads.add(len(c["threads"]) + c["threads_omitted"])
    states = Family(
        "tracer_thread_state_seconds_total",
        "counter",
        "Time of all threads, ended ones too, by state.",
    )
    for state, ns in c["thread_states_ns"].items():
        states.add(ns * NS, state=state)
    yield from (threads, states)


def _loops(c: Counters) -> Iterator[Family]:
    ran = Family("tracer_loop_seconds_total", "counter", "Time that the loop ran.")
    idle = Family("tracer_loop_idle_seconds_total", "counter", "Time it waited for events.")
    ready = Family("tracer_loop_ready_tasks", "gauge", "Tasks that could run now.")
    steps = Family("tracer_loop_steps_total", "counter", "Steps of tasks that it began.")
    lag = Family(
        "tracer_loop_lag_seconds",
        "histogram",
        "How long tasks were ready before they ran.",
    )
    for loop in c["loops"]:
        name, number = loop["name"], loop["loop"]
        ran.add(loop["ran_ns"] * NS, loop=name, id=number)
        idle.add(loop["idle_ns"] * NS, loop=name, id=number)
        ready.add(loop["ready"], loop=name, id=number)
        steps.add(loop["steps"], loop=name, id=number)
        _histogram(lag, loop, name, number)
    yield from (ran, idle, ready, steps, lag)


# Powers of two, since the recorder's buckets end there: 65.5 µs to 17.2 s.
LAG_LIMITS_NS = tuple(1 << bits for bits in range(16, 36, 2))


def _histogram(lag: Family, loop: Mapping[str, Any], name: str, number: int) -> None:
    for limit in LAG_LIMITS_NS:
        below = sum(n for end, n in loop["lag_buckets"] if end and end <= limit)
        lag.add(below, "_bucket", loop=name, id=number, le=_number(limit * NS))
    lag.add(loop["lag_ns"]["count"], "_bucket", loop=name, id=number, le="+Inf")
    lag.add(loop["lag_ns"]["total"] * NS, "_sum", loop=name, id=number)
    lag.add(loop["lag_ns"]["count"], "_count", loop=name, id=number)


def _coroutines(c: Counters) -> Iterator[Family]:
    live = Family("tracer_coroutine_tasks", "gauge", "Tasks of the coroutine function.")
    made = Family("tracer_coroutine_tasks_total", "counter", "Tasks made of it.")
    steps = Family("tracer_coroutine_steps_total", "counter", "Steps of its tasks.")
    running = Family("tracer_coroutine_running_seconds_total", "counter", "Time they ran.")
    ready = Family(
        "tracer_coroutine_ready_seconds_total", "counter", "Time they could run and did not."
    )
    for (coro, site), sums in _by_place(c["coroutines"]).items():
        labels = {"coro": coro, "site": site}
        live.add(sums["live"], **labels)
        made.add(sums["made"], **labels)
        steps.add(sums["steps"], **labels)
        running.add(sums["running_ns"] * NS, **labels)
        ready.add(sums["ready_ns"] * NS, **labels)
    yield from (live, made, steps, running, ready)


def _by_place(rows: list[dict[str, Any]]) -> dict[tuple[str, str], Counter[str]]:
    """Functions of one name and place add up: labels may come once only."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        found.setdefault((row["coro"], row["site"]), Counter()).update(
            live=row["live"],
            made=row["made"],
            steps=row["running_ns"]["count"],
            running_ns=row["running_ns"]["total"],
            ready_ns=row["ready_ns"]["total"],
        )
    return found


def _locks(c: Counters) -> Iterator[Family]:
    waiters = Family("tracer_lock_waiters", "gauge", "Who waits for the contended lock now.")
    waits = Family("tracer_lock_waits_total", "counter", "Waits that have ended.")
    waited = Family("tracer_lock_waited_seconds_total", "counter", "Their length.")
    for lock in c["locks"]:
        labels = {"lock": lock["lock"], "kind": lock["kind"], "site": lock["site"]}
        waiters.add(lock["waiters"], **labels)
        waits.add(lock["waited_ns"]["count"], **labels)
        waited.add(lock["waited_ns"]["total"] * NS, **labels)
    yield from (waiters, waits, waited)


def _collections(c: Counters) -> Iterator[Family]:
    count = Family("tracer_gc_collections_total", "counter", "Garbage collections.")
    pause = Family("tracer_gc_pause_seconds_total", "counter", "Their length.")
    collected = Family("tracer_gc_collected_total", "counter", "Objects they freed.")
    for row in c["gc"]:
        count.add(row["pause_ns"]["count"], generation=row["generation"])
        pause.add(row["pause_ns"]["total"] * NS, generation=row["generation"])
        collected.add(row["collected"], generation=row["generation"])
    yield from (count, pause, collected)
