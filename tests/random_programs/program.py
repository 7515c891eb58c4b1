"""The program: runs a plan, prints its results, writes what it knows to be true.

python program.py PLAN TRUTH        alone, or after `python -m tracer run`
"""

import atexit
import faulthandler
import gc
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import tracer
from tests.random_programs import plan as plans
from tests.random_programs.facts import Facts
from tests.random_programs.kit import Kit

PART_FAILED = 71  # exit status


class Program:
    def __init__(self, plan: plans.Plan) -> None:
        self.plan, self.truth = plan, Facts(os.getpid())
        self.results: dict[str, object] = {}
        self.over = False
        self.is_cut = plan.storm_s > 0

    def run(self) -> None:
        plan = self.plan
        forks = any(step.function == "fork" for lane in plan.lanes for step in lane.steps)
        if forks or plan.lanes[1:]:
            # If its fork hooks are registered during a fork, they release another's lock. Of
            # two threads that import it at once, one may use it before its names are known.
            importlib.import_module("concurrent.futures.thread")
        if not plan.lazy_api:
            tracer.log("begin")
        sys.setswitchinterval(plan.switch_s)
        gc.set_threshold(plan.gc_threshold)
        lanes = [threading.Thread(target=self.lane, args=(lane,)) for lane in plan.lanes[1:]]
        threads = [
            threading.Thread(target=self.busy) for _ in range(plan.busy_threads)
        ] + lanes
        for thread in threads:
            thread.start()
        if plan.storm_s:
            signal.signal(signal.SIGALRM, self.storm)
            threads.append(threading.Thread(target=self.storms))
            threads[-1].start()
        self.lane(plan.lanes[0])
        for thread in lanes:
            thread.join()
        self.over = True
        for thread in threads:
            thread.join()

    def busy(self) -> None:
        while not self.over:
            sum(range(1000))

    def storms(self) -> None:
        """Signals the main thread itself: any thread may get a signal sent to the process."""
        main = threading.main_thread().ident or 0
        while not self.over:
            time.sleep(self.plan.storm_s)
            signal.pthread_kill(main, signal.SIGALRM)

    def storm(self, *_: object) -> None:
        tracer.log("storm")
        self.truth.often.append("storm")

    def lane(self, lane: plans.Lane) -> None:
        try:
            if lane.kind == "loop" and lane.steps:
                module = importlib.import_module("tests.random_programs.loop_lane")
                module.run(lane, self.truth, self.results, is_cut=self.is_cut)
                return
            for step in lane.steps:
                kit = Kit(self.truth, step.name, step.seed, is_cut=self.is_cut)
                self.results[step.name] = part(step)(kit)
        except BaseException:
            traceback.print_exc()
            os._exit(PART_FAILED)


def part(step: plans.Step) -> Any:
    module = importlib.import_module(f"tests.random_programs.{step.module}")
    return getattr(module, step.function)


def main() -> None:
    faulthandler.enable()  # on SIGABRT it shows where it hangs
    plan, truth = plans.read(Path(sys.argv[1])), Path(sys.argv[2])
    program = Program(plan)
    atexit.register(lambda: program.truth.write(truth))
    program.run()
    print(json.dumps(program.results, sort_keys=True, indent=1, default=repr))
    if plan.end == "thread":  # one that continues after this one
        threading.Thread(target=time.sleep, args=(0.005,)).start()
    elif plan.end == "exit":
        sys.exit(3)
    elif plan.end == "raise":
        raise ValueError("the end of the program")


if __name__ == "__main__":
    main()
