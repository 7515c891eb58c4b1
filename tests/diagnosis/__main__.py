"""`python -m tests.diagnosis DIRECTORY [CASE…]`: the scoreboard. Traces that the directory has
already are not recorded again."""

import argparse
from pathlib import Path

from tests.diagnosis.board import judge, missing, names, record
from tests.support.servers import NotInstalled


def main(directory: Path, wanted: list[str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    right = healthy = 0
    chosen = wanted or names()
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


parser = argparse.ArgumentParser(prog="python -m tests.diagnosis", description=__doc__)
parser.add_argument("directory", type=Path)
parser.add_argument("case", nargs="*", help="all, if none is named")
options = parser.parse_args()
if unknown := set(options.case) - set(names()):
    parser.error(f"no case is named {', '.join(sorted(unknown))}")
main(options.directory, options.case)
