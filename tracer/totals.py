"""The totals of a recording, which it returns when it ends."""

from tracer.units import duration, plural, size


class Totals:
    """The totals of a recording."""

    __slots__ = (
        "bytes",
        "children",  # processes that were started and are not recorded
        "children_recorded",
        "dropped",
        "duration_ns",
        "error",  # errno of the write that failed, 0 = none
        "events",  # of this process, without its children's
        "forks",  # how often it forked
        "late",  # records whose time was clamped to keep a track in order
        "lost",  # events that are missing in a file that was cut (`error`) …
        "lost_ns",  # … and how long before the end they begin
        "overhead_ns",  # CPU time of the writer thread
        "reason",  # why the write failed
        "samples",  # CPU samples
        "snapshot",  # the path of the last one
        "snapshots",  # how many were written
        "suppressed",  # moments that met a condition and got no snapshot: too soon after one
        "worst_ready_ns",
        "worst_ready_who",  # the coroutine that waited longest to run
    )
    duration_ns: int
    events: int
    bytes: int
    children: int
    children_recorded: int
    dropped: int
    late: int
    lost: int
    lost_ns: int
    forks: int
    overhead_ns: int
    samples: int
    worst_ready_ns: int
    worst_ready_who: str
    error: int
    reason: str
    snapshot: str
    snapshots: int
    suppressed: int

    def __init__(self, totals: dict[str, int | str]) -> None:
        for name, value in totals.items():
            setattr(self, name, value)

    @property
    def problem(self) -> str:
        """Why, and how much of, the recording is missing in the file; "" if nothing is."""
        if not self.error:
            return ""
        missing = f"the last {duration(self.lost_ns)} ({plural(self.lost, 'event')})"
        return f"{self.reason}: {missing} are missing"

    def line(self, output: str, then: str = "") -> str:
        """All of them in one line."""
        longest = ""
        if self.worst_ready_ns:
            longest = f", longest wait to run {duration(self.worst_ready_ns)}"
            if self.worst_ready_who:
                longest += f" ({self.worst_ready_who})"
        children = "".join(
            f", {plural(count, 'child process', 'child processes')} {what}"
            for count, what in (
                (self.children_recorded, "recorded"),
                (self.children, "not recorded"),
            )
            if count
        )
        where = " of the first process" if self.children_recorded else ""
        return (
            f"{duration(self.duration_ns)}, {plural(self.events, 'event')}{where}, "
            f"{size(self.bytes)}, {self.dropped:,} dropped{children}{longest}{then} "
            f"-> {output}. Next: tracer report {output}"
        )
