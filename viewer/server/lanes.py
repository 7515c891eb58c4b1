"""What the page draws: groups of lanes, and their titles."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from viewer.analysis.states import numbers
from viewer.trace.columns import Column, Lanes, Tile
from viewer.trace.model import Model


@dataclass(frozen=True, slots=True)
class Title:
    """The title of a lane; `of` is the number of what it shows (thread, loop, lock …)."""

    text: str
    detail: str
    of: int
    process: int = -1


@dataclass(frozen=True, slots=True)
class Group:
    """Lanes of one kind.

    `lane` has the lane of each row, -1 for none; `label` gives the text of a row; `in_states`:
    rows are of States.
    """

    titles: tuple[Title, ...]
    lanes: Lanes
    lane: Column
    label: Callable[[int], str]
    in_states: bool

    def tile(
        self, model: Model, wanted: list[int], at_ns: int, pixel_ns: int, pixels: int
    ) -> Tile:
        """The wanted lanes from `at_ns` on."""
        lanes = self.lanes
        return model.trace.engine.tile(
            lanes.offset,
            lanes.row,
            lanes.start_ns,
            lanes.end_ns,
            lanes.code,
            numbers(wanted),
            at_ns,
            pixel_ns,
            pixels,
        )

    def neighbours(self, row: int, start_ns: int) -> tuple[int, int, int]:
        """The row's lane, and the rows before and after it there; -1 where there is none."""
        lane, lanes = self.lane[row], self.lanes
        low, high = lanes.offset[lane], lanes.offset[lane + 1]
        at = bisect_left(lanes.start_ns, start_ns, low, high)
        while lanes.row[at] != row:
            at += 1
        before = lanes.row[at - 1] if at > low else -1
        return lane, before, lanes.row[at + 1] if at + 1 < high else -1
