"""Inside, a traced program finds the interpreter that plain python would give it."""

import sys
from pathlib import Path

import pytest

from tests.support.launching import Case, compare, run, script

OWN_NAMES = ("tracer", "viewer", "schema", "hooks", "launch", "recorder", "errors", "cli")
OWN_MODULES: dict[str, str | bytes] = {
    "prog.py": "\n".join(
        f"import {name}; print({name}.__file__, {name}.x)" for name in OWN_NAMES
    ),
    **{f"{name}.py": f"x = '{name}'" for name in OWN_NAMES},
}
FLAGS = (
    "import sys; print(sys.flags, sys.warnoptions, sys._xoptions, sys.getfilesystemencoding())"
)
FRAMES = """\
import inspect, sys, traceback
print(sys._getframe().f_back, [frame.function for frame in inspect.stack()])
traceback.print_stack()
try: sys._getframe(1)
except ValueError as error: print(error)
def function(): return inspect.getsource(function), inspect.getsource(sys.modules["__main__"])
print(function(), len(sys._current_frames()))
"""
DEEPEST = """\
import sys
deepest = 0
def dive(depth):
    global deepest
    deepest = depth
    dive(depth + 1)
for limit in (1000, 77, 5000):
    sys.setrecursionlimit(limit)
    try: dive(0)
    except RecursionError as error: print(limit, deepest, error)
print(sys.getrecursionlimit())
"""
C_DEEPEST = """\
nested = []
for _ in range(100_000): nested = [nested]
try: repr(nested)
except RecursionError as error: print(error)
def deep(n): return eval("deep(n + 1)", {"deep": deep, "n": n}) if n < 40 else n
print(deep(0))
"""
HASHES = """\
import os, shutil, signal, time
for name in ("dir_fd", "fd", "follow_symlinks", "effective_ids"):
    functions = getattr(os, f"supports_{name}")
    print(name, all(function in functions for function in functions))
print(shutil.rmtree.avoids_symlink_attacks)
builtins = [f for m in (os, time, signal) for f in vars(m).values() if type(f) is type(len)]
print(len(set(builtins)) == len({id(f) for f in builtins}), os.read == os.write)
"""
WARNING_LEVELS = """\
import warnings
def warn(level): warnings.warn(f"level {level}", stacklevel=level)
for level in range(1, 5): warn(level)
"""
LOGGING = """\
import logging
logging.basicConfig(format="%(pathname)s %(lineno)d %(funcName)s %(message)s", level=0)
logging.info("from the module")
def function(): logging.warning("from a function", stack_info=True, stacklevel=2)
function()
"""
MAIN = """\
import __main__, sys, dataclasses, typing, pickle, enum
assert vars(__main__) is globals() and sys.modules["__main__"] is __main__
print(list(globals()), repr(__main__), __builtins__, __annotations__, __doc__, __spec__)
@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    x: int
    other: "Point | None" = None
class Colour(enum.Enum): RED = 1
print(typing.get_type_hints(Point))
print(pickle.loads(pickle.dumps([Point(1, Point(2)), Colour.RED])))
print(pickle.dumps(Point), Point.__module__, Point)
if __name__ == "__main__": print("main")
"""
ENVIRONMENT = """\
import os, resource, signal, sys, threading, gc, locale, contextvars, asyncio
print(sorted(os.environ.items()))
print(os.getcwd(), oct(os.umask(0o22)), os.getpgrp() == os.getpgid(os.getppid()), os.nice(0))
print([resource.getrlimit(limit) for limit in range(10)])
print([(number, signal.getsignal(number)) for number in signal.valid_signals()])
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.getitimer(signal.ITIMER_PROF))
print([thread.name for thread in threading.enumerate()], threading.excepthook)
print(gc.get_threshold(), gc.isenabled(), gc.get_freeze_count(), gc.garbage)
print(sys.getswitchinterval(), sys.gettrace(), sys.getprofile(), sys.exc_info())
print(sys.excepthook, sys.displayhook, sys.unraisablehook, sys.breakpointhook)
print(hasattr(sys, "last_exc"), hasattr(sys, "ps1"), sys.dont_write_bytecode)
print(locale.setlocale(locale.LC_ALL, None), len(contextvars.copy_context()))
print(sys.executable, sys.prefix, sys.path, sys.meta_path, sys.path_hooks)
print([path for path in sys.path_importer_cache if not path.startswith(sys.base_prefix)])
print(sys.stdin, sys.stdout, sys.stderr, sys.stdout.line_buffering, sys.stdout.write_through)
print(sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth())
print(asyncio.get_event_loop_policy.__module__, sys.monitoring.get_tool(2))
"""
INHERITABLE = """\
import os
for fd in map(int, os.listdir("/proc/self/fd")):
    try: print(fd) if os.get_inheritable(fd) else None
    except OSError: pass
"""
FIRST_DESCRIPTORS = "import os; print([os.open('prog.py', 0) for _ in range(3)])"
MULTIPROCESSING = """\
import multiprocessing, sys
class Thing:
    def __init__(self, value): self.value = value
def work(thing):
    return thing.value, __name__, sys.argv, sys.path[0], sys.modules["__main__"].__file__
if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    with context.Pool(1) as pool:
        print(pool.map(work, [Thing(n) for n in range(3)]))
    with multiprocessing.get_context("{method}").Manager() as manager:
        print(manager.list([1, 2]))
"""
EXECUTOR = """\
import concurrent.futures, multiprocessing
def square(n): return n * n
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        print(list(pool.map(square, range(4))))
    print(pool.__class__.__module__)
"""
SUBINTERPRETER = """\
try: import _interpreters as interpreters
except ImportError: import _xxsubinterpreters as interpreters
number = interpreters.create()
interpreters.run_string(number, "import sys; print(len(sys.path), sys.argv, sys.path[0])")
"""
FAULT = """\
import faulthandler, sys
def function(): faulthandler.dump_traceback(all_threads=True)
function()
"""
AUDIT = """\
import sys
print(sys.orig_argv[1:])
"""
ASYNCIO = """\
import asyncio
async def child(n):
    await asyncio.sleep(0)
    return n
async def main():
    asyncio.get_running_loop().slow_callback_duration = 3600  # whatever the machine does
    print(await asyncio.gather(*(child(n) for n in range(3))))
    asyncio.current_task().print_stack()
    raise LookupError("end")
asyncio.run(main())
"""
DOCTEST = '''\
"""
>>> twice(2)
4
>>> twice(3)
7
"""
def twice(n): return 2 * n
import doctest
print(doctest.testmod())
'''
RUNPY = (
    "import runpy; print(sorted(runpy.run_path('other.py')), runpy.run_module('other')['x'])"
)
RELOAD = (
    "import importlib, sys\nimport tracer\nprint(tracer.__version__, importlib.reload(tracer))"
)
GENERATORS = """\
import sys
def generate():
    yield sys._getframe().f_back.f_code.co_name, sys._getframe().f_back.f_back
print(next(generate()), list(generate()))
"""
THREADS = """\
import sys, threading
def work(): print(sys._getframe().f_back.f_code.co_name, threading.current_thread().name)
thread = threading.Thread(target=work); thread.start(); thread.join()
"""

CASES = [
    Case("own modules", ("prog.py",), OWN_MODULES),
    Case("own modules, -m", ("-m", "prog"), OWN_MODULES),
    script("builtins in sets", HASHES),
    script("flags", FLAGS),
    *(
        script(" ".join(flags), FLAGS + "\nassert sys", flags=flags)
        for flags in [
            ("-X", "dev"),
            ("-Xutf8=0",),
            ("-OO",),
            ("-W", "error"),
            ("-W", "ignore::DeprecationWarning", "-Wonce"),
            ("-bbE",),
            ("-IB",),
            ("-X", "int_max_str_digits=0", "-X", "faulthandler", "-s"),
            ("--check-hash-based-pycs", "never"),
            ("-d", "-q", "-R"),
        ]
    ),
    script("frames", FRAMES),
    Case("frames -c", ("-c", "import sys; print(sys._getframe().f_back)")),
    Case("frames -m", ("-m", "prog"), {"prog.py": FRAMES}),
    script("recursion", DEEPEST),
    script("recursion in C", C_DEEPEST),
    script("warning levels", WARNING_LEVELS),
    script("logging", LOGGING),
    script("main module", MAIN),
    Case("main module -m", ("-m", "prog"), {"prog.py": MAIN}),
    script("environment", ENVIRONMENT),
    *(
        script(f"locale {name}={value}", FLAGS + ENVIRONMENT, environment={name: value})
        for name, value in [("LANG", "C"), ("LC_ALL", "C"), ("LC_ALL", "C.UTF-8")]
    ),
    script(
        "python variables", FLAGS, environment={"PYTHONDEVMODE": "1", "PYTHONOPTIMIZE": "1"}
    ),
    script("inheritable", INHERITABLE),
    script("first descriptors", FIRST_DESCRIPTORS),
    *(
        script(f"multiprocessing {method}", MULTIPROCESSING.format(method=method))
        for method in ("spawn", "forkserver", "fork")
    ),
    Case("spawn -m", ("-m", "prog"), {"prog.py": MULTIPROCESSING.format(method="spawn")}),
    script("executor", EXECUTOR),
    pytest.param(
        script("subinterpreter", SUBINTERPRETER),
        marks=pytest.mark.xfail(
            sys.version_info < (3, 13), reason="3.12 keeps sys.path[0] for them out of reach"
        ),
    ),
    script("faulthandler", FAULT),
    script("original command line", AUDIT, "a", flags=("-B",)),
    Case("original command line -c", ("-c", AUDIT, "a")),
    Case("original command line -m", ("-m", "prog", "a"), {"prog.py": AUDIT}),
    script("asyncio", ASYNCIO),
    script("asyncio, debug", ASYNCIO, flags=("-X", "dev")),
    script("doctest", DOCTEST),
    Case("runpy", ("prog.py",), {"prog.py": RUNPY, "other.py": "x = __name__"}),
    script("installed package", RELOAD),
    script("generators", GENERATORS),
    script("threads", THREADS),
]


@pytest.mark.default(
    "own modules",
    "builtins in sets",
    "flags",
    "-OO",
    "-bbE",
    "frames",
    "frames -m",
    "recursion in C",
    "logging",
    "main module",
    "environment",
    "inheritable",
    "first descriptors",
    "multiprocessing spawn",
    "multiprocessing fork",
    "executor",
    "subinterpreter",
    "faulthandler",
    "original command line",
    "asyncio",
    "doctest",
    "generators",
    "threads",
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_like_python(case: Case, tmp_path: Path) -> None:
    """Same stdout, stderr and status as plain python."""
    plain, traced = compare(case, tmp_path)
    assert traced == plain


def test_modules(tmp_path: Path) -> None:
    """Launcher and recorder leave nothing in sys.modules that plain python does not have."""
    plain, traced = compare(
        Case("modules", ("-c", "import sys; print(*sys.modules, sep='\\n')")), tmp_path
    )
    assert traced == plain


def test_only_one_process(tmp_path: Path) -> None:
    """`tracer run` becomes the program: the process that was started is the one that runs."""
    source = "import os; print(os.getppid())"
    trace = str(tmp_path / "a.pftrace")
    command = [sys.executable, "-m", "tracer", "run", "-o", trace, "-c", source]
    outer = f"import os, subprocess; print(os.getpid(), flush=True); subprocess.run({command})"
    outcome = run([sys.executable, "-c", outer], tmp_path)
    parent, seen = outcome.stdout.split()
    assert seen == parent
