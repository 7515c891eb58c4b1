"""Starts the recorder in a fresh interpreter, then becomes the traced program.

`tracer run` runs this file as a script. It imports nothing that a plain `python` has not
imported already, since the program would find it loaded.

    launch.py "KIND BUFFER_BYTES SIGNALS FORCE SETTINGS OUTPUT" PROGRAM [ARGS...]

SETTINGS are NAME=NUMBER, separated by commas: cpu_hz, heap_rate, io_threshold_us, stack_depth,
profile and wall (1: write a profile of that type after the run), rename (1: take another name
when a recording goes into OUTPUT), argv (0: leave the arguments out of the trace), control
(1: answer those who ask while it runs), follow (1: children record themselves, too),
most_bytes and most_files (limits for all together), flight_ms (not 0: a flight recording that
reaches back so far, into the folder OUTPUT), flight_bytes and cooldown_ms.

A program can still notice: the command line in /proc, a few descriptors (the trace, two of
/proc, the control socket and its folder, one for each CPU) that are higher than the limit lets
it have itself, where there is room above the limit, else above 64, standard library modules
that the recorder loaded, one more atexit callback, a few thousand more objects, the
recorder's imports in `-v` and `-X importtime`, and that there is no prompt after
PYTHONINSPECT.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tracer.recorder import Recording

# The modules that the recorder needs until the very end, kept alive outside sys.modules.
_ours: list["ModuleType"] = []

PACKAGE = "tracer"
# Loaded here, safe to load again: both keep their callbacks in the interpreter.
FORGET = ("atexit", "gc")


def say(line: str) -> None:
    """Writes one line to file descriptor 2, whatever became of sys.stderr."""
    try:  # noqa: SIM105 - plain python has not loaded contextlib
        os.write(2, f"tracer: {line}\n".encode(errors="backslashreplace"))
    except OSError:
        pass


def identity(fd: int) -> tuple[int, int] | None:
    """The identity of a descriptor's file; None when it is closed."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def load_package() -> None:
    """Imports the package beside this file, whatever sys.path says."""
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import spec_from_file_location

    here = __file__.rpartition("/")[0]
    spec = spec_from_file_location(
        PACKAGE, f"{here}/__init__.py", submodule_search_locations=[here]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no package in {here}")
    sys.modules[PACKAGE] = package = module_from_spec(spec)
    spec.loader.exec_module(package)


def forget_package(cached_paths: set[str]) -> None:
    """Removes the package from the interpreter's tables: the program may use the names."""
    ours = [name for name in sys.modules if name.partition(".")[0] == PACKAGE]
    _ours.extend(sys.modules.pop(name) for name in (*ours, *FORGET) if name in sys.modules)
    for path in sys.path_importer_cache.keys() - cached_paths:
        del sys.path_importer_cache[path]


# A wall-clock profile needs these, besides the CPU samples.
WALL_SIGNALS = ("gil", "locks", "io")


def finish_at_exit(
    recording: "Recording", output: str, types: tuple[str, ...], retained: str = ""
) -> None:
    """Registers the end of the recording before the program can register anything, so that it
    comes last; and for a program that ends in another way, or becomes another one."""
    import atexit

    from tracer import _core, derived
    from tracer.flight_recorder import rings
    from tracer.memory import keepers
    from tracer.processes import children
    from tracer.totals import Totals

    keeps = keepers.at_exit(retained) if retained else list
    pid, stderr, lock = os.getpid(), identity(2), _core.lock_file

    def tell(*lines: str) -> None:
        # A program that closed descriptor 2 may have opened its own file there.
        if identity(2) == stderr:
            for line in lines:
                say(line)

    def finish() -> None:
        try:
            if os.getpid() != pid:  # a forked child
                children.end(_core)
                return
            tell(*keeps())
            totals = recording.stop(discards=_core.program_was_refused())
            if totals is None:
                return
            if recording.is_discarded:
                older = f"; {output} is an older one" if os.path.exists(output) else ""
                tell(f"the program did not start, so there is no trace of it{older}")
                return
            tell(*(f"{signal}: {text}" for signal, text in recording.blind_spots))
            if totals.problem:
                tell(f"cannot write {output} to its end: {totals.problem}")
            if recording.options.flight is not None:
                tell(*children.told(recording, output), rings.summary(totals))
                return
            tell(*children.told(recording, f"{output}.d"))
            if not totals.bytes:  # somebody deleted the file
                return
            tell(Totals.line(totals, children.named(recording, output)))
            if totals.bytes > derived.PROFILED_BYTES:
                return
            has_samples = totals.samples or totals.children_recorded
            wanted = tuple(type_ for type_ in types if type_ != "cpu" or has_samples)
            if wanted:
                derived.derive_profiles(recording.file, wanted, lock, say)
        except Exception as problem:
            if os.getpid() == pid:
                say(f"the end of {output} may be missing: {problem!r}")

    atexit.register(finish)
    recording.at_end = finish
    recording.at_exec = lambda totals, program: tell(
        Totals.line(totals, output, f", then exec of {program}")
    )


def start(order: str, command: list[str], named: list[str]) -> None:
    """Starts to record `command`, python's arguments, of which the first `named` identify the
    program. Raises TracerError when the output is refused, anything else when this
    interpreter cannot be recorded."""
    from tracer.errors import BusyTraceError
    from tracer.flight_recorder.rings import flight_of
    from tracer.recorder import Options, Recording

    _kind, buffer_bytes, signals, force, settings, output = order.split(" ", 5)
    numbers = dict(setting.split("=") for setting in settings.split(","))
    wall = numbers.get("wall") == "1"
    types = (("cpu",) if numbers["profile"] == "1" else ()) + (("wall",) if wall else ())
    recording = Recording(
        Options(
            path=absolute(output),
            buffer_bytes=int(buffer_bytes),
            signals=tuple(signals.split(",")) if signals else (),
            argv=tuple(command if numbers.get("argv", "1") == "1" else named),
            force=force == "force",
            hold=True,
            cpu_hz=int(numbers["cpu_hz"]),
            heap_rate=int(numbers["heap_rate"]),
            io_threshold_us=int(numbers["io_threshold_us"]),
            stack_depth=int(numbers["stack_depth"]),
            follow=numbers["follow"] == "1",
            control=numbers.get("control") == "1",
            most_bytes=int(numbers["most_bytes"]),
            most_files=int(numbers["most_files"]),
            names_only=numbers.get("argv", "1") != "1",
            says=output,
            profiles=types,
            flight=flight_of(numbers, absolute(output)),
        )
    )
    try:
        recording.start()
    except BusyTraceError:
        if numbers.get("rename") != "1":  # the user chose the name
            raise
        stem, suffix = os.path.splitext(output)
        taken, output = output, f"{stem}.{os.getpid()}{suffix}"
        say(f"{taken} is being recorded by another process; this recording goes to {output}")
        recording.options.path, recording.options.says = absolute(output), output
        recording.start()
    if "listen" in numbers:
        listen(numbers["listen"])
    problems = dict(recording.problems())
    for signal, reason in problems.items():
        say(f"{signal} is not recorded: {reason}")
    recorded = set(recording.options.signals) - problems.keys()
    missing = [signal for signal in WALL_SIGNALS if signal not in recorded]
    if wall and missing:
        say(f"--wall: its waits are incomplete without {', '.join(missing)}")
    retained = numbers.get("retained", "") if "heap" in recorded else ""
    finish_at_exit(recording, output, types, bytes.fromhex(retained).decode())


def listen(address: str) -> None:
    """Answers HTTP requests from now on; if that fails, the program runs on without."""
    from tracer import _core
    from tracer.errors import TracerError
    from tracer.live import on_demand

    token = os.environ.get("TRACER_TOKEN")
    try:
        where = on_demand.start(_core, None if address == "default" else address, token)
        say(f"listening on {where}")
    except (TracerError, ValueError) as error:
        say(f"not listening: {error}")


def absolute(path: str) -> str:
    """As python does for a script: joined with the working directory, not normalised."""
    if path == ".":
        return os.getcwd()
    return path if path.startswith("/") else f"{os.getcwd()}/{path}"


def script_directory(path: str) -> str:
    """sys.path[0] of a script: the directory of the file that symbolic links lead to.

    Like python, it follows only one link where the last one is not a path (/dev/stdin).
    """
    if os.path.islink(path):
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    try:  # noqa: SIM105 - plain python has not loaded contextlib
        path = os.path.realpath(path, strict=True)
    except OSError:
        pass
    return os.path.dirname(path)


def working_directory(_name: str) -> str | None:
    """sys.path[0] of -m; nothing when the working directory is gone."""
    try:
        return os.getcwd()
    except OSError:
        return None


def dedented(code: str) -> str:
    """`-c` code without its common indentation, as python 3.14 and later take it."""
    if sys.version_info < (3, 14):
        return code
    lines = code.split("\n")
    filled = [line for line in lines if line and not line.isspace()]
    size = 0
    for column in zip(*filled, strict=False):
        if len(set(column)) > 1 or column[0] not in " \t":
            break
        size += 1
    return "\n".join(line[size:] if line and not line.isspace() else "" for line in lines)


def unchanged(name: str) -> str:
    return name


class Kind:
    """One way of naming a program, and how it differs from the others."""

    def __init__(
        self,
        run: str,
        prefix: tuple[str, ...],
        target: "Callable[[str], str]",
        path0: "Callable[[str], str | None]",
    ) -> None:
        self.run = run  # the function of _core
        self.prefix = prefix  # what comes before the program on python's command line
        self.target = target  # the given program -> what that function takes
        self.path0 = path0  # the given program -> sys.path[0]


KINDS = {
    "file": Kind("run_file", (), absolute, script_directory),
    "module": Kind("run_module", ("-m",), unchanged, working_directory),
    "command": Kind("run_command", ("-c",), dedented, lambda _code: ""),
}


def fresh_main() -> None:
    """Makes a new __main__ as python does; running a file or module fills in the rest."""
    main = type(sys)("__main__")
    if "__annotations__" in globals():
        main.__annotations__ = {}
    vars(main)["__builtins__"] = __builtins__
    main.__loader__ = sys.modules["_frozen_importlib"].BuiltinImporter
    sys.modules["__main__"] = main


def launch() -> "Callable[[], None]":
    """Starts to record and cleans up; returns the program, to be called last."""
    if not sys.flags.safe_path:
        del sys.path[0]  # the directory of this file
    sys.path_importer_cache.pop(__file__, None)
    cached_paths = set(sys.path_importer_cache)
    order, program, *arguments = sys.argv[1:]
    kind = KINDS[order.partition(" ")[0]]
    argv = [*(kind.prefix or [program]), *arguments]
    command = [*kind.prefix, program, *arguments]
    named = [*kind.prefix, program] if kind.run != "run_command" else [*kind.prefix]
    flags = sys.orig_argv[1 : -len(sys.argv)]
    plain = [sys.orig_argv[0], *flags, *command]
    try:
        load_package()
        __import__(f"{PACKAGE}._core")
        run = getattr(sys.modules[f"{PACKAGE}._core"], kind.run)
        start(order, command, named)
    except Exception as problem:
        if hasattr(problem, "exit_code"):  # TracerError, which may not be importable
            say(str(problem))
            raise SystemExit(problem.exit_code) from None
        say(f"cannot record on this interpreter: {problem}. The program runs without a trace.")
        os.execv(sys.executable, plain)
    target = kind.target(program)
    path0 = None if sys.flags.safe_path else kind.path0(program)
    forget_package(cached_paths)
    sys.argv = argv
    sys.orig_argv = plain
    fresh_main()
    return lambda: run(target, path0)


if __name__ == "__main__":
    try:
        launch()()
    except KeyboardInterrupt:  # before the program began; after that, nothing returns here
        os._exit(130)
