"""A manager's answers, which come later and later; the last line of the output is its pid."""

import multiprocessing
import time
from multiprocessing.managers import BaseManager

PAUSES_S = [0.001 * 2**n for n in range(8)]  # even on a busy machine some are long enough


class Slow:
    def answer(self, number: int) -> int:
        time.sleep(PAUSES_S[number])
        return multiprocessing.current_process().pid or 0


class Manager(BaseManager):
    pass


Manager.register("Slow", Slow)

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    with Manager() as manager:
        slow = manager.Slow()  # type: ignore[attr-defined]
        pids = {slow.answer(number) for number in range(len(PAUSES_S))}
    print(*pids)
