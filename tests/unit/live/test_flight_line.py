"""The line about a flight recording that has ended."""

from pathlib import Path

from tracer.flight_recorder.rings import summary
from tracer.totals import Totals


def test_a_snapshot_that_its_asker_moved_is_counted_and_not_named(tmp_path: Path) -> None:
    """`tracer snapshot PID -o FILE` leaves none in the folder."""
    path = tmp_path / "snapshot"  # its name does not matter here
    ended: dict[str, int | str] = {"duration_ns": 5_000_000_000, "suppressed": 0}
    totals = Totals({**ended, "snapshots": 1, "snapshot": str(path)})
    assert summary(totals) == "flight recording ended after 5.00 s, 1 snapshot"
    path.write_bytes(b"")
    assert summary(totals) == (
        f"flight recording ended after 5.00 s, 1 snapshot, the last one {path}. "
        f"Next: tracer report {path}"
    )
