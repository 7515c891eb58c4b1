"""Memory, and what outlives its call, as JSON: bytes and counts are estimates, integers."""

from viewer.analysis.escape import Escape, EscapeRow
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


def escape_json(found: Escape | None) -> Json:
    """None where allocations were not recorded."""
    if found is None:
        return None
    lines: list[Json] = [
        {"site": row.site, "via": via(row.site), **_escape(row)} for row in found.lines
    ]
    return {"total": _escape(found.total), "lines": lines}


def _escape(row: EscapeRow) -> dict[str, Json]:
    return {
        "samples": row.samples,
        "allocated_bytes": row.allocated_bytes,
        "blocks": row.blocks,
        "freed_within_blocks": row.within_blocks,
        "outlived_blocks": row.outlived_blocks,
        "unknown_blocks": row.unknown_blocks,
        "outlived_bytes": row.outlived_bytes,
        "outlived_share": row.share,
        "outlived_share_error": row.share_error,
        "lifetime_p50_ns": row.p50_ns,
        "lifetime_p99_ns": row.p99_ns,
        "live_bytes": row.live_bytes,
    }
