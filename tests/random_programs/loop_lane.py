"""A lane of a random program that is an event loop."""

import asyncio
import threading

from tests.random_programs import facts, plan
from tests.random_programs.loop_kit import LoopKit
from tests.random_programs.program import part


def run(
    lane: plan.Lane, truth: facts.Facts, results: dict[str, object], *, is_cut: bool
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        name = f"main of {lane.steps[0].name}"
        task.set_name(name)
        truth.tasks.append(facts.Task("loop", name, "", "done", creator=0))
        if lane.eager:
            loop.set_task_factory(asyncio.eager_task_factory)
        tasks = []
        for step in lane.steps:
            tasks.append(loop.create_task(runs(step, name), name=step.name))
            if not lane.together:
                await tasks[-1]
        await asyncio.gather(*tasks)

    async def runs(step: plan.Step, parent: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name(step.name)
        row = facts.Task(step.name, step.name, parent, "done", lane.eager)
        row.creator = threading.get_native_id()
        truth.tasks.append(row)
        kit = LoopKit(truth, step.name, step.seed, is_cut=is_cut)
        results[step.name] = await part(step)(kit)

    asyncio.run(main())
