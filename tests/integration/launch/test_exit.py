"""However a program ends, its caller sees what it sees with plain python."""

import signal
from pathlib import Path

import pytest

from tests.support.launching import Case, compare, script

LATE_OUTPUT = """\
import atexit, sys
print("no newline", end="")
atexit.register(lambda: print("late", file=sys.stderr))
sys.stdout.write(" unflushed")
"""
EXCEPTHOOK = """\
import sys
def hook(kind, value, traceback):
    print("hooked", kind.__name__, value, traceback.tb_frame.f_back)
sys.excepthook = hook
1 / 0
"""
BROKEN_EXCEPTHOOK = """\
import sys
def hook(*args):
    raise ValueError("in hook")
sys.excepthook = hook
1 / 0
"""
ATEXIT_ORDER = """\
import atexit, sys
for number in range(3):
    atexit.register(print, "callback", number, file=sys.stderr)
atexit.register(lambda: 1 / 0)
atexit.register(sys.exit, 5)
"""
NON_DAEMON = """\
import threading
go = threading.Event()
def work():
    go.wait()
    threading.main_thread().join()
    print("after the main thread", flush=True)
threading.Thread(target=work).start()
go.set()
"""
DAEMON = """\
import threading
started = threading.Event()
def work():
    started.set()
    threading.Event().wait()
threading.Thread(target=work, daemon=True).start()
started.wait()
"""
THREAD_EXIT = """\
import sys, threading
thread = threading.Thread(target=sys.exit, args=(9,))
thread.start(); thread.join()
print("still here")
"""
THREAD_ERROR = """\
import threading
thread = threading.Thread(target=lambda: 1 / 0, name="worker")
thread.start(); thread.join()
"""
DESTRUCTORS = """\
import sys
class Loud:
    def __init__(self, name): self.name = name
    def __del__(self): print("gone", self.name, sys is None)
a = Loud("a"); b = Loud("b"); b.itself = b
def function(): return a
"""
INTERRUPT_IN_ATEXIT = """\
import atexit, signal
atexit.register(signal.raise_signal, signal.SIGINT)
"""
CAUGHT_INTERRUPT = """\
import os, signal, sys
try:
    os.kill(os.getpid(), signal.SIGINT)
    while True: pass
except KeyboardInterrupt:
    sys.exit(3)
"""
SUBCLASS_INTERRUPT = "class Mine(KeyboardInterrupt): pass\nraise Mine('x')\n"
# The interpreter notes an interrupt that leaves exec() of a text, and obeys it in the end.
CAUGHT_FROM = """\
CODE = "raise KeyboardInterrupt"
def interrupts(kind): raise kind
class Mine(KeyboardInterrupt): pass
try:
    {}
except KeyboardInterrupt:
    print("caught")
"""
NOTED = CAUGHT_FROM.format("exec(CODE)")
NOTED_IN_THREAD = """\
import threading
def work():
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        print("caught")
thread = threading.Thread(target=work)
thread.start(); thread.join()
"""
FORGETFUL_EXCEPTHOOK = """\
import sys
def hook(*args):
    print("hooked")
    sys.last_exc = sys.last_value = None
sys.excepthook = hook
raise KeyboardInterrupt
"""
EXITING_EXCEPTHOOK = """\
import sys
sys.excepthook = lambda *args: sys.exit(4)
raise KeyboardInterrupt
"""
INTERRUPTS = {
    "noted": (NOTED, "prog.py", "-c", "-m"),
    "noted, in eval": (CAUGHT_FROM.format("eval('interrupts(KeyboardInterrupt)')"), "prog.py"),
    "noted, then an error": (NOTED + "1 / 0", "prog.py", "-m"),
    "noted, then exit": (NOTED + "import sys; sys.exit(3)", "prog.py", "-c", "-m"),
    "noted, then another text": (NOTED + "exec('1')", "-c"),
    "noted in a thread": (NOTED_IN_THREAD, "prog.py"),
    "a code object's": (CAUGHT_FROM.format("exec(compile(CODE, 'x', 'exec'))"), "prog.py"),
    "a subclass": (CAUGHT_FROM.format("exec('raise Mine')"), "-m"),
    "a subclass, uncaught": (SUBCLASS_INTERRUPT, "-c", "-m"),
    "hook forgets it": (FORGETFUL_EXCEPTHOOK, "prog.py", "-c", "-m"),
    "hook exits": (EXITING_EXCEPTHOOK, "prog.py", "-m"),
}
FORK = """\
import os, sys
pid = os.fork()
if pid == 0:
    print("child", flush=True)
    sys.exit(4)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
FORK_RAISES = """\
import os
if os.fork() == 0:
    raise KeyError("child")
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
EXEC = (
    "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'raise SystemExit(6)'])"
)
SPAWN_NON_TRACED = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(2)'])"
TRACE_LEFT = """\
import atexit, sys, threading  # threading: its shutdown is seen too
seen = []
def watch(frame, event, argument):
    seen.append((event, frame.f_code.co_name, frame.f_code.co_filename.rpartition("/")[2]))
atexit.register(lambda: (sys.setprofile(None), sys.settrace(None), print(seen)))
sys.{function}(watch)
"""
CLOSED = "import os; os.close({fd})\n"
STDOUT_FULL = "import sys; sys.stdout = open('/dev/full', 'w'); print('x')\n"

CASES = [
    *(
        script(f"exit {value}", f"import sys; sys.exit({value})")
        for value in ("", "None", "0", "1", "7", "256", "-1", "True", "3.5")
    ),
    script("exit too large", "import sys, threading; sys.exit(2**70)"),
    script("exit text", "import sys; sys.exit('some text')"),
    script("exit object", "import sys; sys.exit((1, 'two'))"),
    script("exit subclass", "class Leave(SystemExit): pass\nraise Leave(8)"),
    script("exit group", "raise BaseExceptionGroup('g', [SystemExit(3)])"),
    script("exit in function", "def f():\n    raise SystemExit(11)\nf()"),
    script("quit", "quit(12)"),
    Case("exit -c", ("-c", "import sys; sys.exit(13)")),
    Case("exit -m", ("-m", "prog"), {"prog.py": "import sys; sys.exit('text')"}),
    Case("exit app", ("app",), {"app/__main__.py": "import sys; sys.exit(14)"}),
    script("exception", "raise ValueError('no')"),
    script("chained", "try:\n    1/0\nexcept Exception as e:\n    raise KeyError(2) from e"),
    script("context", "try:\n    1/0\nexcept Exception:\n    undefined"),
    script("group", "raise ExceptionGroup('g', [ValueError(1), TypeError(2)])"),
    script("note", "e = ValueError(1); e.add_note('a note'); raise e"),
    script("recursion", "def f(): f()\nf()"),
    script("memory error", "raise MemoryError"),
    script("generator exit", "raise GeneratorExit"),
    script("suggestion", "import sys\nsys.exti"),
    script("excepthook", EXCEPTHOOK),
    script("broken excepthook", BROKEN_EXCEPTHOOK),
    script("excepthook gone", "import sys; del sys.excepthook; 1/0"),
    script("late output", LATE_OUTPUT),
    script("atexit", ATEXIT_ORDER),
    script("interrupt in atexit", INTERRUPT_IN_ATEXIT),
    script("non-daemon thread", NON_DAEMON),
    script("daemon thread", DAEMON),
    script("exit in thread", THREAD_EXIT),
    script("error in thread", THREAD_ERROR),
    script("destructors", DESTRUCTORS),
    script("destructors on exit", DESTRUCTORS + "sys.exit(2)"),
    script("destructors on error", DESTRUCTORS + "1/0"),
    script("interrupt", "raise KeyboardInterrupt"),
    script("interrupt by signal", "import os\nos.kill(os.getpid(), 2)\nwhile True: pass"),
    script("caught interrupt", CAUGHT_INTERRUPT),
    Case("interrupt -c", ("-c", "raise KeyboardInterrupt")),
    Case("interrupt -m", ("-m", "prog"), {"prog.py": "raise KeyboardInterrupt"}),
    script("terminated", "import os\nos.kill(os.getpid(), 15)\nwhile True: pass"),
    script("killed", "import os\nos.kill(os.getpid(), 9)\nwhile True: pass"),
    script("hang up", "import os\nos.kill(os.getpid(), 1)\nwhile True: pass"),
    script("abort", "import os; os.abort()"),
    script("abort, developer mode", "import os; os.abort()", flags=("-X", "dev")),
    script("os._exit", "import os; print('lost'); os._exit(17)"),
    script("fork", FORK),
    script("fork raises", FORK_RAISES),
    script("exec", EXEC),
    script("subprocess", SPAWN_NON_TRACED),
    script("profile left", TRACE_LEFT.format(function="setprofile")),
    script("trace left", TRACE_LEFT.format(function="settrace")),
    script("stdout closed", CLOSED.format(fd=1)),
    script("stderr closed", CLOSED.format(fd=2) + "1/0"),
    script("all closed", "import os; os.closerange(0, 256)"),
    script("sys.stderr is None", "import sys; sys.stderr = None; 1/0"),
    script("sys.stdout full", STDOUT_FULL),
    script("modules cleared", "import sys; sys.modules.clear()"),
    script(
        "warnings are errors", "import warnings; warnings.warn('w')", flags=("-W", "error")
    ),
    script("warnings by default", "import warnings; warnings.warn('w', DeprecationWarning)"),
    script("resource", "open('prog.py').read(1)", flags=("-X", "dev")),
    script("optimised", "assert False\nprint(__debug__)", flags=("-O",)),
    script("unbuffered", "import os; print('x', end=''); os._exit(0)", flags=("-u",)),
    script("buffered", "import os; print('x', end=''); os._exit(0)"),
    script("stdin", "import sys; print(sys.stdin.read(), input)", stdin="line\n"),
    script("inspect", "1/0", environment={"PYTHONINSPECT": ""}),
]


@pytest.mark.default(
    "exit ",
    "exit 7",
    "exit text",
    "exit -c",
    "exit -m",
    "exception",
    "chained",
    "recursion",
    "excepthook",
    "late output",
    "atexit",
    "non-daemon thread",
    "daemon thread",
    "exit in thread",
    "destructors",
    "interrupt",
    "interrupt by signal",
    "terminated",
    "abort",
    "os._exit",
    "fork",
    "exec",
    "subprocess",
    "profile left",
    "trace left",
    "stdout closed",
    "all closed",
    "modules cleared",
    "warnings are errors",
    "stdin",
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_like_python(case: Case, tmp_path: Path) -> None:
    """Same stdout, stderr and status as plain python."""
    plain, traced = compare(case, tmp_path)
    assert traced == plain


@pytest.mark.default(
    "noted-prog.py",
    "noted--m",
    "noted, in eval-prog.py",
    "a subclass, uncaught--c",
    "hook exits-prog.py",
)
@pytest.mark.parametrize(
    ("name", "how"), [(name, how) for name, (_, *ways) in INTERRUPTS.items() for how in ways]
)
def test_interrupts(name: str, how: str, tmp_path: Path) -> None:
    """The process dies of SIGINT if plain python does, which depends on how it was started."""
    source = INTERRUPTS[name][0]
    words = {"prog.py": ("prog.py",), "-m": ("-m", "prog"), "-c": ("-c", source)}
    plain, traced = compare(Case(name, words[how], {"prog.py": source}), tmp_path)
    assert traced == plain


def test_uncaught_interrupt_kills(tmp_path: Path) -> None:
    """The process dies of SIGINT itself, so that a shell's loop around it stops too."""
    _plain, traced = compare(script("interrupt", "raise KeyboardInterrupt"), tmp_path)
    assert traced.status == -signal.SIGINT
