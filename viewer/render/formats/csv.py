"""A trace's slices as one table, for spreadsheets and data frames."""

import csv
import io
import json

from viewer.analysis.processes.family import Family
from viewer.trace.model import Model
from viewer.trace.tracks import Track

_COLUMNS = (
    "start_ns", "duration_ns", "process", "thread", "track", "category", "name", "unfinished",
    "args", "process_name",
)  # fmt: skip


def write_csv(model: Model) -> bytes:
    """A header, and one row per slice in order of begin; `args` is JSON."""
    trace, events, slices = model.trace, model.trace.events, model.trace.slices
    out, family = io.StringIO(), Family.of(model)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for i, event in enumerate(slices.event):
        track = trace.tracks.get(events.uuids[events.track[event]], Track(0))
        process = trace.track_process[events.track[event]]
        writer.writerow(
            (
                slices.start_ns[i],
                slices.end_ns[i] - slices.start_ns[i],
                trace.processes[process].pid if process >= 0 else 0,
                track.tid or "",
                track.thread_name or track.name,
                trace.text(events.category[event]),
                trace.text(events.name[event]),
                slices.unfinished[i],
                json.dumps(trace.args(event), ensure_ascii=False),
                family.name(process),
            )
        )
    return out.getvalue().encode()
