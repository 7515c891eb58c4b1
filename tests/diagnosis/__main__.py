"""`python -m tests.diagnosis DIRECTORY [CASE…]`: the scoreboard. Traces that the directory has
already are not recorded again."""

import sys
from pathlib import Path

from tests.diagnosis.board import judge, missing, names, record
from tests.support.servers import NotInstalled


def main(directory: Path, wanted: list[str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    right = healthy = 0
    chosen = [name for name in names() if not wanted or name in wanted]
    for name in chosen:
        if needed := missing(name):
            print(f"{name}: skipped, needs {needed}")
            continue
        trace = directory / f"{name}.pftrace"
        if not trace.exists():
            try:
                record(name, trace)
            except NotInstalled as error:
                print(f"{name}: skipped, {error}")
                continue
        verdict = judge(name, trace)
        right += verdict.place == 0
        healthy += name.startswith("ok_")
        mark = {0: "ok", -1: "WRONG"}.get(verdict.place, f"place {verdict.place + 1}")
        print(f"{mark:8} {name}")
        for kind, text in verdict.found[:3] if verdict.place else verdict.found[:1]:
            print(f"           {kind}: {text}")
    print(f"{right} of {len(chosen)} right, {healthy} of them healthy")


main(Path(sys.argv[1]), sys.argv[2:])
