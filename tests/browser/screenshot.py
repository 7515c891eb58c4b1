"""`python -m tests.browser.screenshot TRACE OUT.png`: a trace as the Perfetto UI shows it."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.browser.perfetto_ui import open_in_ui


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--expand", metavar="REGEX", default=".*", help="groups to open")
    parser.add_argument("--pin", metavar="REGEX", help="tracks to keep at the top")
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--start", type=float, metavar="MS", help="left edge, from the start")
    parser.add_argument("--length", type=float, metavar="MS", help="time shown from there")
    options = parser.parse_args()
    window = None if options.start is None else (options.start, options.length or 100.0)
    with open_in_ui(
        options.trace.resolve(),
        expand=options.expand,
        pin=options.pin,
        size=(options.width, options.height),
        sidebar=False,
        window_ms=window,
    ) as opened:
        opened.page.screenshot(path=options.picture)
        for line in opened.trouble():
            print(f"the UI says: {line}")
        print(f"{options.picture}: {len(opened.tracks())} tracks")


if __name__ == "__main__":
    main()
