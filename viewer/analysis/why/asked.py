"""The tasks and threads that the user asks about, by their names."""

from collections.abc import Iterable
from dataclasses import dataclass

from tracer.errors import NotInTraceError
from viewer.analysis.causes.tree import Tree

_LIKE = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """Only waits of a task (name, id or coroutine), of a thread (name or tid), of a process
    (name or pid), at a moment, or at least partly within regions of a name.

    `at_ns` is a time of the trace's clock; so is `since_ns`: waits that began earlier come
    after all others.
    """

    task: str = ""
    thread: str = ""
    at_ns: int | None = None
    region: str = ""
    process: str = ""
    since_ns: int = 0


def tasks_asked(tree: Tree, wanted: str) -> list[int]:
    """The tasks of this name, else of this id, else all of this coroutine."""
    model = tree.model
    tasks = range(len(model.owners.task_id))
    if not tasks:
        raise NotInTraceError("the trace has no tasks.")
    names = {task: (model.task_name(task), tree.lanes.name_of_task(task)) for task in tasks}
    found = [task for task in tasks if wanted in names[task]]
    if not found and wanted.lstrip("#").isdigit():
        number = int(wanted.lstrip("#"))
        found = [task for task in tasks if model.owners.task_id[task] == number]
    coroutines = {task: model.coroutine_of(task) for task in tasks}
    if not found:
        found = [
            task
            for task in tasks
            if wanted in (coroutines[task], coroutines[task].split(".")[-1])
        ]
    if not found:
        of_tasks = {name for both in names.values() for name in both}
        known = (*sorted(set(coroutines.values())), *sorted(of_tasks))
        raise NotInTraceError(f"no task is called '{wanted}'.{_instead(wanted, known)}")
    return found


def threads_asked(tree: Tree, wanted: str) -> list[int]:
    """The threads of this name, else of this tid."""
    model = tree.model
    threads = range(len(model.threads))
    found = [
        i
        for i in threads
        if wanted
        in (
            model.thread_names[i],
            model.threads[i].thread_name,
            tree.lanes.name_of_thread(i),
        )
    ]
    if not found and wanted.isdigit():
        found = [i for i in threads if model.threads[i].tid == int(wanted)]
    if not found:
        instead = _instead(wanted, sorted(map(tree.lanes.name_of_thread, threads)))
        raise NotInTraceError(f"no thread is called '{wanted}'.{instead}")
    return found


def processes_asked(tree: Tree, wanted: str) -> set[int]:
    """The processes of this name, else of this pid."""
    members = tree.elsewhere.family.members.values()
    found = {member.process for member in members if member.name == wanted}
    if not found and wanted.isdigit():
        found = {member.process for member in members if member.pid == int(wanted)}
    if not found:
        instead = _instead(wanted, sorted(member.name for member in members))
        raise NotInTraceError(f"no process is called '{wanted}'.{instead}")
    return found


def _instead(wanted: str, known: Iterable[str]) -> str:
    """A sentence about the existing names; "" where there are none."""
    from difflib import get_close_matches  # only a mistake needs it

    names = list(dict.fromkeys(known))
    close = get_close_matches(wanted, names, _LIKE)
    if close:
        return f" Did you mean {' or '.join(map(repr, close))}?"
    shown = [*map(repr, names[:_LIKE]), *(["…"] if len(names) > _LIKE else [])]
    return f" There {'is' if len(names) == 1 else 'are'} {', '.join(shown)}." if names else ""
