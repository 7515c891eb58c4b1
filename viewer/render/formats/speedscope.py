"""A profile in speedscope's own format: one view per thread, the heaviest stacks first."""

import json
from collections import defaultdict

from viewer.analysis.profiles.profile import Place, Profile, Sample

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_UNITS = {"nanoseconds": "nanoseconds", "bytes": "bytes"}


def render_speedscope(profile: Profile, name: str) -> bytes:
    """JSON; a sample's weight is the profile's last value."""
    frames: dict[
        Place, int
    ] = {}  # without lines, since speedscope takes each line for a function
    threads: dict[str, list[Sample]] = defaultdict(list)
    for sample in profile.samples:
        threads[_view(dict(sample.labels), name)].append(sample)
        for place in sample.frames:
            frames.setdefault(place._replace(line=0), len(frames))
    views = [
        {
            "type": "sampled",
            "name": thread,
            "unit": _UNITS.get(profile.types[-1][1], "none"),
            "startValue": 0,
            "endValue": sum(sample.values[-1] for sample in samples),
            "samples": [
                [frames[p._replace(line=0)] for p in reversed(sample.frames)]
                for sample in samples
            ],
            "weights": [sample.values[-1] for sample in samples],
        }
        for thread, samples in threads.items()
    ]
    views.sort(key=lambda view: -int(str(view["endValue"])))
    file = {
        "$schema": _SCHEMA,
        "name": name,
        "exporter": "tracer",
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(place) for place in frames]},
        "profiles": views,
    }
    return json.dumps(file, ensure_ascii=False).encode()


def _view(labels: dict[str, str | int], name: str) -> str:
    """The thread, with its process where the trace has several."""
    thread, of = labels.get("thread", name), labels.get("process", labels.get("pid", ""))
    return f"{thread} [{of}]" if of else str(thread)


def _frame(place: Place) -> dict[str, str]:
    return {"name": place.function} | ({"file": place.path} if place.path else {})
