"""The memory of a report as JSON: bytes and counts are estimates, integers."""

from viewer.analysis.memory import Memory, MemoryRow
from viewer.render.json.values import Json
from viewer.trace.sites import via


def memory_json(found: Memory | None) -> Json:
    """None where allocations were not recorded."""
    if found is None:
        return None
    return {
        "mean_bytes": found.mean_bytes,
        "total": _row(found.total),
        "sites": [_row(row, site=row.name, via=via(row.name)) for row in found.sites],
        "coroutines": [_row(row, coro=row.name) for row in found.coroutines],
        "regions": [_row(row, region=row.name) for row in found.regions],
    }


def _row(row: MemoryRow, **named: Json) -> Json:
    return {
        **named,
        "samples": row.samples,
        "live_bytes": row.live_bytes,
        "live_error_bytes": row.live_error,
        "live_blocks": row.live_blocks,
        "grown_bytes": row.grown_bytes,
        "allocated_bytes": row.allocated_bytes,
        "allocated_blocks": row.allocated_blocks,
    }
