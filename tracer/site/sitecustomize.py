"""Python runs this as it starts in a child of a recorded process: it records that process, and
then makes way for the program's own sitecustomize.

What led here is removed first, so the program finds os.environ, sys.path and sys.modules as
they would be without us. Another version of Python may run this file, too: nothing but plain
syntax, and nothing imported that Python has not loaded already.
"""

import os
import sys

ORDER = "TRACER_CHILD"
SEARCHED = "PYTHONPATH"
PACKAGE = "tracer"
MOST_BYTES = 1 << 16  # of a module, compiled or not
KEPT, MOST_KEPT = "modules", 1 << 22
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

    Known = tuple[int, int, CodeType | None]  # when its source was written, its size, itself


def take_order(folder: str) -> str:
    """Removes our two variables. Returns the order, "" if there is none."""
    order = os.environ.pop(ORDER, "")
    value = os.environ.get(SEARCHED, "")
    if value == folder or value.startswith(folder + ":"):
        was = order.partition("\n")[0][-1:]
        if was == "s" or (not order and value != folder):
            os.environ[SEARCHED] = value[len(folder) + 1 :]
        elif was == "e":
            os.environ[SEARCHED] = ""
        else:
            del os.environ[SEARCHED]
    return order


class Finder:
    """Loads the recorder's modules from their compiled files, whatever sys.path says. Python's
    own search takes three times as long for forty modules; it gets what is not found so.

    Where there are no compiled files (PYTHONDONTWRITEBYTECODE), the first child keeps what it
    has compiled in a file of the family's folder, for the others."""

    def __init__(self, root: str, folder: str) -> None:
        import _frozen_importlib_external

        self.root, self.python = root, _frozen_importlib_external
        optimized = ".opt-" + str(sys.flags.optimize) if sys.flags.optimize else ""
        self.ending = str(sys.implementation.cache_tag) + optimized + ".pyc"
        self.codes: dict[str, CodeType] = {}
        self.kept = folder + "/" + KEPT + "." + self.ending
        self.known: dict[str, Known] | None = None  # what is in that file, by source
        self.has_more = False

    def find_spec(
        self,
        name: str,
        path: "Sequence[str] | None" = None,
        target: "ModuleType | None" = None,
    ) -> "ModuleSpec | None":
        package, _, rest = name.partition(".")
        if package != PACKAGE:
            return None
        base = self.root + "/" + rest.replace(".", "/")
        if rest == "_core":
            base += self.python.EXTENSION_SUFFIXES[0]
            return self.python.spec_from_file_location(name, base)
        for source, folders in ((base + ".py", None), (base + "/__init__.py", [base])):
            code = self.read(source)
            if code:
                self.codes[name] = code
                return self.python.spec_from_file_location(
                    name,
                    source,
                    loader=self,  # type: ignore[arg-type]
                    submodule_search_locations=folders,
                )
        return None

    def create_module(self, spec: "ModuleSpec") -> None:
        pass

    def exec_module(self, module: "ModuleType") -> None:
        exec(self.codes.pop(module.__name__), module.__dict__)

    def read(self, source: str) -> "CodeType | None":
        from _imp import _fix_co_filename  # type: ignore[attr-defined]
        from marshal import loads

        folder, _, file = source.rpartition("/")
        try:
            of = os.stat(source)
        except OSError:
            return None
        text = read_file(folder + "/__pycache__/" + file[:-2] + self.ending, MOST_BYTES)
        if not text:
            return self.compiled(source, of)
        numbers = (0, int(of.st_mtime), of.st_size)  # 0: it was compiled from this very text
        head = b"".join((number & 0xFFFFFFFF).to_bytes(4, "little") for number in numbers)
        if text[:16] != self.python.MAGIC_NUMBER + head:
            return self.compiled(source, of)
        code = loads(memoryview(text)[16:])
        _fix_co_filename(code, source)
        return code  # type: ignore[no-any-return]

    def compiled(self, source: str, of: os.stat_result) -> "CodeType | None":
        if self.known is None:
            self.known = self.load_kept()
        made, size, code = self.known.get(source, (0, 0, None))
        if code is None or (made, size) != (of.st_mtime_ns, of.st_size):
            text = read_file(source, MOST_BYTES)
            if not text:
                return None
            code = compile(text, source, "exec", dont_inherit=True)
            self.known[source] = of.st_mtime_ns, of.st_size, code
            self.has_more = True
        return code

    def load_kept(self) -> "dict[str, Known]":
        from marshal import loads

        magic, text = self.python.MAGIC_NUMBER, read_file(self.kept, MOST_KEPT, is_own=True)
        if text[: len(magic)] != magic:  # another pre-release of the same version
            return {}
        try:
            return loads(memoryview(text)[len(magic) :])  # type: ignore[no-any-return]
        except (EOFError, TypeError, ValueError):  # it is damaged
            return {}

    def keep(self) -> None:
        """In one piece, whoever else does so; nothing where that cannot be."""
        from marshal import dumps

        if not self.has_more:
            return
        text = self.python.MAGIC_NUMBER + dumps(self.known)
        path = self.kept + "." + str(os.getpid())
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                is_whole = os.write(file, text) == len(text)
            finally:
                os.close(file)
            (os.rename if is_whole else discard)(path, self.kept)
        except OSError:
            pass


def discard(path: str, _: str) -> None:
    os.unlink(path)


def read_file(path: str, most_bytes: int, is_own: bool = False) -> bytes:
    """b"" if it is not there or has so many bytes; or, of `is_own`, if others may write it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (os.O_NOFOLLOW if is_own else 0))
        try:
            of = os.fstat(file)
            if is_own and (of.st_uid != os.geteuid() or of.st_mode & 0o022):
                return b""
            text = os.read(file, most_bytes)
        finally:
            os.close(file)
    except OSError:
        return b""
    return text if len(text) < most_bytes else b""


def load_package(root: str) -> None:
    """The package without what it offers a program: a child needs none of that."""
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import spec_from_file_location

    spec = spec_from_file_location(
        PACKAGE, root + "/__init__.py", submodule_search_locations=[root]
    )
    if spec is None:
        raise ImportError("no package in " + root)
    sys.modules[PACKAGE] = module_from_spec(spec)


def record(order: str, folder: str) -> None:
    """Starts to record; whatever goes wrong, the program runs unrecorded."""
    names, paths = set(sys.modules), set(sys.path_importer_cache)
    finders, root = list(sys.meta_path), folder.rpartition("/")[0]
    try:
        finder = Finder(root, order.partition("\n")[2].partition("\x1f")[0] + ".d")
        if sys.pycache_prefix is None:
            sys.meta_path.insert(0, finder)
        load_package(root)
        from tracer.processes import spawned

        finder.keep()
        spawned.begin(order)
    except Exception:  # a child cannot say it: its parent's trace has a child without one
        pass
    sys.meta_path[:] = finders
    for name in set(sys.modules) - names:
        if name.partition(".")[0] == "tracer" or name in ("atexit", "gc"):
            del sys.modules[name]
    for path in set(sys.path_importer_cache) - paths:
        del sys.path_importer_cache[path]


def prepare() -> None:
    folder = __file__.rpartition("/")[0]
    order = take_order(folder)
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path_importer_cache.pop(folder, None)
    if not order:  # a subinterpreter, for example
        return
    signals = sys.modules["_signal"]
    # A signal that comes meanwhile is handled afterwards, as if Python had started faster.
    before = signals.pthread_sigmask(signals.SIG_BLOCK, signals.valid_signals())
    try:
        record(order, folder)
    finally:
        signals.pthread_sigmask(signals.SIG_SETMASK, before)


prepare()
del sys.modules["sitecustomize"]
__import__("sitecustomize")  # the program's own; site expects the error of a missing one
