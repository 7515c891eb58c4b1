"""What several parts of the report's JSON are made of."""

from viewer.analysis.spread import Spread

type Json = int | float | str | bool | list["Json"] | dict[str, "Json"] | None


def spread_json(spread: Spread) -> Json:
    return {
        "count": spread.count,
        "total": spread.total_ns,
        "p50": spread.p50_ns,
        "p90": spread.p90_ns,
        "p99": spread.p99_ns,
        "max": spread.max_ns,
    }
