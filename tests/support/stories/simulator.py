"""Random little programs of which everything is known at every moment: a trace, and the truth.

A program is a table: for every tick what each thread does, who has each lock, what the loop
runs, which task is in which state, and who collects. `Program.trace()` tells it as a recorder
would; `truth()` says whose the ticks of a wait were, from the table alone, tick by
tick, without intervals, windows or bisection.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

from tests.support.builder.threads import Lock, Thread
from tests.support.builder.trace import Loop, Task, TraceBuilder

TICK_NS = 1_000
_SITE = "/app/prog.py:{} f"
_FREE_STATES = ("native", "preempted", "io", "sleep", "off cpu")
_HELD_STATES = ("running", "running", "running", "preempted!", "io!", "off cpu!")
_THREADS, _LOCKS, _TASKS = 3, 2, 3

type Blame = tuple[tuple[str, str], ...]  # (kind, who), the outermost first
type Run = tuple[int, int, str]  # from, until, what


def runs(cells: list[str]) -> list[Run]:
    """Equal neighbours together; "" is nothing."""
    found: list[Run] = []
    for tick, cell in enumerate(cells):
        if found and found[-1][2] == cell and found[-1][1] == tick:
            found[-1] = (found[-1][0], tick + 1, cell)
        else:
            found.append((tick, tick + 1, cell))
    return [run for run in found if run[2]]


@dataclass
class Program:
    """States are named as in the tables above, `!` with the GIL; `lock wait:0` for lock 0.

    Thread 0 runs the loop. `loop` has `task:2`, `callback`, `select` or "" (asyncio itself);
    `tasks` have `ready`, `running`, `await:…` or "" before and after their lives; `wakers` say
    by (task, tick) who made it ready: a task, or -1 a timer, -2 the network, -3 nobody known.
    """

    ticks: int
    states: list[list[str]] = field(default_factory=list)  # by thread
    owners: list[list[int]] = field(default_factory=list)  # by lock: a thread, -1 free
    loop: list[str] = field(default_factory=list)
    tasks: list[list[str]] = field(default_factory=list)
    wakers: dict[tuple[int, int], int] = field(default_factory=dict)
    collecting: list[list[bool]] = field(default_factory=list)  # by thread

    # The truth -------------------------------------------------------------------------

    def holder(self, tick: int) -> int:
        """Who has the GIL: -1 nobody, -2 nobody is known to have had it yet or again."""
        having = [
            n for n, cells in enumerate(self.states) if cells[tick].rstrip("!") != cells[tick]
        ]
        having += [n for n, cells in enumerate(self.states) if cells[tick] == "running"]
        if having:
            return having[0]
        of_all = [run for cells in self.states for run in runs(cells)]
        begins = [a for a, _, state in of_all if state == "running" or state.endswith("!")]
        return self.between(begins, tick)

    @staticmethod
    def between(begins: list[int], tick: int) -> int:
        known = begins and min(begins) <= tick < max(begins)
        return -1 if known else -2

    def owner(self, lock: int, tick: int) -> int:
        if self.owners[lock][tick] >= 0:
            return self.owners[lock][tick]
        cells = [str(owner) if owner >= 0 else "" for owner in self.owners[lock]]
        return self.between([start for start, _, _ in runs(cells)], tick)

    def on_loop(self, tick: int) -> tuple[str, str]:
        """What the loop ran, as (kind, who)."""
        cell = self.loop[tick]
        if cell.startswith("task:"):
            return "task", f"coro{cell[5:]}"
        if cell:
            return cell, "flush" if cell == "callback" else ""
        begins = [start for start, _, _ in runs(self.loop)]
        return ("loop", "") if self.between(begins, tick) == -1 else ("unknown", "")

    def blame_loop(self, tick: int, seen: tuple[str, ...]) -> Blame:
        """Of a task that is ready: what its loop ran, and how."""
        ran = self.on_loop(tick)
        if self.collecting[0][tick]:
            return (("gc", "gen 1"), *self.blame_running(ran, tick, seen))
        return self.blame_running(ran, tick, seen)

    def blame_running(self, ran: tuple[str, str], tick: int, seen: tuple[str, ...]) -> Blame:
        if ran[0] == "unknown":
            return (ran,)
        return (ran, *self.blame_state(0, tick, (*seen, "thread 0")))

    def blame_thread(self, thread: int, tick: int, seen: tuple[str, ...]) -> Blame:
        me = f"thread {thread}"
        if me in seen:
            return (("cycle", ""),)
        if thread == 0:
            ran = self.on_loop(tick)
            if ran[0] != "unknown":
                return self.blame_loop(tick, seen)
        if self.collecting[thread][tick]:
            return (("gc", "gen 1"),)
        return self.blame_state(thread, tick, (*seen, me))

    def blame_state(self, thread: int, tick: int, seen: tuple[str, ...]) -> Blame:
        state = self.states[thread][tick]
        plain = state.rstrip("!")
        if plain == "gil wait":
            return (("gil wait", ""), *self.blame_gil(tick, seen))
        if plain.startswith("lock wait:"):
            return (("lock wait", "Lock"), *self.blame_lock(int(plain[10:]), tick, seen))
        kind = {"running": "computing", "": "unknown"}.get(plain, plain)
        return ((kind, "os.read" if kind == "io" else ""),)

    def blame_gil(self, tick: int, seen: tuple[str, ...]) -> Blame:
        holder = self.holder(tick)
        if holder < 0:
            return (("free" if holder == -1 else "unknown", ""),)
        return (("thread", f"T{holder}"), *self.blame_thread(holder, tick, seen))

    def blame_lock(self, lock: int, tick: int, seen: tuple[str, ...]) -> Blame:
        owner = self.owner(lock, tick)
        if owner < 0:
            return (("free" if owner == -1 else "unknown", ""),)
        return (("owner", f"T{owner}"), *self.blame_thread(owner, tick, seen))

    def blame_await(self, task: int, tick: int, seen: tuple[str, ...]) -> Blame:
        """Of a task that awaits: whoever will end it, and what that does now."""
        cells = self.tasks[task]
        later = range(tick, self.ticks)
        end = next((t for t in later if not cells[t].startswith("await:")), -1)
        waker = self.wakers.get((task, end), -3)
        if end < 0 or cells[end] != "ready" or waker == -3:
            return (("unknown", ""),)
        if waker == -2 and tick >= self.unseen_since(end):
            return (("unseen", ""), *self.blame_loop(tick, seen))
        if waker < 0:
            return (("timer" if waker == -1 else "io", ""),)
        return (("waker", f"task{waker}"), *self.blame_task(waker, tick, seen))

    def unseen_since(self, tick: int) -> int:
        """What the loop saw came after the last poll but one: see viewer's Unseen."""
        since, newest, polls = tick, 0, 0
        for start, stop, cell in reversed([run for run in runs(self.loop) if run[0] < tick]):
            polls += newest > start or cell == "select"
            if polls == 2:
                break
            own = runs(self.tasks[int(cell[5:])]) if cell[:5] == "task:" else []
            ready = [a for a, b, state in own if (b, state) == (start, "ready")]
            newest = max(
                [0, *ready] if newest > start or cell == "select" else [newest, *ready]
            )
            since = start if stop <= tick and cell != "select" else since
        return since

    def blame_task(self, task: int, tick: int, seen: tuple[str, ...]) -> Blame:
        me = f"task {task}"
        if me in seen:
            return (("cycle", ""),)
        if len(seen) >= 6:
            return ()
        seen = (*seen, me)
        state = self.tasks[task][tick]
        if state == "running":
            if self.collecting[0][tick]:
                return (("gc", "gen 1"),)
            return self.blame_state(0, tick, seen)
        if state == "ready":
            return (("ready", ""), *self.blame_loop(tick, seen))
        if not state:
            return (("unknown", ""),)
        return (("await", state[6:]), *self.blame_await(task, tick, seen))

    # The trace -------------------------------------------------------------------------

    def trace(self) -> TraceBuilder:
        signals = "tasks,threads,gc,gil,locks,io,sched"
        trace = TraceBuilder(signals=signals)
        threads = [trace.thread(f"T{n}") for n in range(len(self.states))]
        locks = [trace.lock("Lock", _SITE.format(n)) for n in range(len(self.owners))]
        for thread, cells in zip(threads, self.states, strict=True):
            last = 0
            for start, end, state in runs(cells):
                self.tell(thread, start, state, locks, threads)
                last = end
            if thread.state is not None:
                thread.end(last * TICK_NS)
        for lock, owned in zip(locks, self.owners, strict=True):
            cells = [str(owner) if owner >= 0 else "" for owner in owned]
            for start, end, owner in runs(cells):
                lock.hold(start * TICK_NS, end * TICK_NS, threads[int(owner)])
        for thread, marks in zip(threads, self.collecting, strict=True):
            for start, end, _ in runs(["gc" if mark else "" for mark in marks]):
                trace.gc(start * TICK_NS, end * TICK_NS, thread.tid, 1)
        self.tell_loop(trace, threads[0])
        return trace.ended(self.ticks * TICK_NS)

    def tell(
        self, thread: Thread, tick: int, state: str, locks: list[Lock], threads: list[Thread]
    ) -> None:
        at, held = tick * TICK_NS, state.endswith("!")
        plain = state.rstrip("!")
        if plain == "running":
            thread.running(at)
        elif plain == "native":
            thread.native(at)
        elif plain == "preempted":
            thread.preempted(at, holding_gil=held)
        elif plain == "off cpu":
            thread.off_cpu(at, holding_gil=held)
        elif plain == "gil wait":
            thread.gil_wait(at)
        elif plain == "io":
            thread.io(at, "os.read", site=_SITE.format(9), holding_gil=held)
        elif plain == "sleep":
            thread.sleep(at, site=_SITE.format(8))
        else:
            number = int(plain[10:])
            owner = self.owners[number][tick]
            thread.lock_wait(
                at,
                "Lock",
                lock=locks[number],
                site=_SITE.format(7),
                owner=threads[owner] if owner >= 0 else None,
            )

    def tell_loop(self, trace: TraceBuilder, thread: Thread) -> None:
        loop = trace.loop(thread)
        tasks = [
            loop.task(f"coro{n}", f"task{n}", _SITE.format(20 + n))
            for n in range(len(self.tasks))
        ]
        for start, end, cell in runs(self.loop):
            at, until = start * TICK_NS, end * TICK_NS
            if cell.startswith("task:"):
                loop.step(tasks[int(cell[5:])], at, until)
            elif cell == "callback":
                loop.callback("flush", _SITE.format(30), at, until)
            else:
                loop.select(at, until)
        for number, (task, cells) in enumerate(zip(tasks, self.tasks, strict=True)):
            self.tell_task(number, task, cells, tasks, loop)

    def tell_task(
        self, number: int, task: Task, cells: list[str], tasks: list[Task], loop: Loop
    ) -> None:
        last = 0
        for start, end, state in runs(cells):
            at, last = start * TICK_NS, end
            if state == "running":
                task.running(at)
            elif state == "ready":
                waker = self.wakers.get((number, start), -3)
                if waker >= 0:
                    task.ready(at, by=loop.wakes(at), waker_task=tasks[waker].id)
                elif waker == -3:
                    task.ready(at)
                else:
                    task.ready(at, waker="timer" if waker == -1 else "io")
            else:
                task.awaits(at, state[6:], site=_SITE.format(40))
        if task.state is not None and (last < self.ticks or cells[-1] == "running"):
            task.done(last * TICK_NS)


def random_program(seed: int, ticks: int = 18) -> Program:
    """Any mixture of waits that a recorder could have seen."""
    choose = random.Random(seed)
    program = Program(ticks)
    _fill_threads(program, choose)
    _fill_loop(program, choose)
    _fill_tasks(program, choose)
    return program


def _fill_threads(program: Program, choose: random.Random) -> None:
    ticks = program.ticks
    program.states = [[""] * ticks for _ in range(_THREADS)]
    program.owners = [[-1] * ticks for _ in range(_LOCKS)]
    program.collecting = [[False] * ticks for _ in range(_THREADS)]
    begins = [0, *(choose.randrange(ticks // 2) for _ in range(_THREADS - 1))]
    ends = [ticks, *(choose.randrange(ticks // 2, ticks + 1) for _ in range(_THREADS - 1))]
    gil, owner = -1, [-1] * _LOCKS
    collector = -1
    now = [""] * _THREADS
    for tick in range(ticks):
        for n in choose.sample(range(_THREADS), _THREADS):
            if not begins[n] <= tick < ends[n]:
                gil = -1 if gil == n else gil
                owner = [-1 if who == n else who for who in owner]
                now[n] = ""
                continue
            wait = now[n].startswith("lock wait:")
            if wait and owner[int(now[n][10:])] == -1 and choose.random() < 0.7:
                owner[int(now[n][10:])] = n
                now[n] = "gil wait"
            elif (wait and choose.random() < 0.9) or (now[n] and choose.random() < 0.5):
                continue
            for lock, who in enumerate(owner):
                if who == n and choose.random() < 0.3:
                    owner[lock] = -1
            want = choose.choice(("gil", "gil", "free", "lock"))
            if want == "lock":
                lock = choose.randrange(_LOCKS)
                if owner[lock] == -1:
                    owner[lock], want = n, "gil"
                elif owner[lock] != n:
                    gil = -1 if gil == n else gil
                    now[n] = f"lock wait:{lock}"
                    continue
                else:
                    want = "gil"
            if want == "gil" and gil in (-1, n):
                gil = n
                now[n] = choose.choice(_HELD_STATES)
            elif want == "gil":
                now[n] = "gil wait"
            else:
                gil = -1 if gil == n else gil
                now[n] = choose.choice(_FREE_STATES)
        if collector >= 0 and (choose.random() < 0.4 or gil != collector):
            collector = -1
        elif collector < 0 and gil >= 0 and now[gil] == "running" and choose.random() < 0.2:
            collector = gil
        for n in range(_THREADS):
            program.states[n][tick] = now[n]
            program.collecting[n][tick] = collector == n and bool(now[n])
        for lock, who in enumerate(owner):
            program.owners[lock][tick] = who


def _fill_loop(program: Program, choose: random.Random) -> None:
    kinds = [*(f"task:{n}" for n in range(_TASKS)), *(f"task:{n}" for n in range(_TASKS))]
    kinds += ["callback", "select", ""]
    tick = choose.randrange(3)
    program.loop = [""] * tick
    while tick < program.ticks:
        length = choose.randrange(1, 5)
        program.loop += [choose.choice(kinds)] * length
        tick += length
    program.loop = program.loop[: program.ticks]
    if choose.random() < 0.5:  # the loop ends before the program does
        program.loop[-3:] = [""] * 3
    for start, _, _ in runs([cell or "-" for cell in program.loop]):
        program.collecting[0][start] = False  # a collection is inside of what it interrupts


def _fill_tasks(program: Program, choose: random.Random) -> None:
    """Between its steps a task awaits first and is ready then."""
    for task in range(_TASKS):
        cells = [""] * program.ticks
        steps = [run for run in runs(program.loop) if run[2] == f"task:{task}"]
        for start, end, _ in steps:
            cells[start:end] = ["running"] * (end - start)
        at = choose.randrange(steps[0][0] + 1) if steps else program.ticks
        for number, (start, end, _) in enumerate(steps):
            if at < start:
                since = choose.randrange(at, start) if number else at
                what = choose.choice(("future", "sleep"))
                cells[at:since] = [f"await:{what}"] * (since - at)
                cells[since:start] = ["ready"] * (start - since)
                program.wakers[task, since] = _waker(program, since, task, choose)
            at = end
        if steps and choose.random() < 0.5:
            cells[at:] = ["await:future"] * (program.ticks - at)
        program.tasks.append(cells)


def _waker(program: Program, tick: int, task: int, choose: random.Random) -> int:
    """Whoever ran on the loop then may have been it."""
    cell = program.loop[tick]
    if cell.startswith("task:") and int(cell[5:]) != task and choose.random() < 0.8:
        return int(cell[5:])
    return choose.choice((-1, -2, -3))


def truth(program: Program, blame: str, who: int, start: int, end: int) -> Counter[Blame]:
    """Ticks by blame of a wait: of `loop` or `await` a task's, of `gil` or a lock's number a
    thread's."""
    found: Counter[Blame] = Counter()
    for tick in range(start, end):
        if blame == "loop":
            said = program.blame_loop(tick, (f"task {who}",))
        elif blame == "await":
            said = program.blame_await(who, tick, (f"task {who}",))
        elif blame == "gil":
            said = program.blame_gil(tick, (f"thread {who}",))
        else:
            said = program.blame_lock(int(blame), tick, (f"thread {who}",))
        found[said] += 1
    return found
