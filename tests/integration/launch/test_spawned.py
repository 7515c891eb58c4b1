"""Children that are a new Python record themselves, and find nothing changed."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROGRAM_TIMEOUT_S, Recorder
from tests.support.family import events, folder, has_ended
from tests.support.launching import compare, script
from tests.support.validator.rules import validate
from tracer import schema as s
from viewer.analysis.children import children
from viewer.analysis.processes.family import Family
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.broad

# What a program can see of how it was started.
SEEN = """\
import os, signal, sys
posix = sys.modules["posix"]
print(sys.argv, sys.orig_argv, sys.flags, sys.path, sys.warnoptions, sys._xoptions)
print(list(os.environ.items()), list(posix.environ.items()), signal.pthread_sigmask(0, ()))
print(list(sys.modules), list(sys.path_importer_cache), sys.path_hooks, sys.meta_path)
"""
STARTS = f"""\
import asyncio, os, pathlib, subprocess, sys
SEEN = {SEEN!r}
pathlib.Path("seen.py").write_text(SEEN)
script = pathlib.Path("script")
script.write_text(f"#!{{sys.executable}} -X dev\\n{{SEEN}}")
script.chmod(0o755)
relay = pathlib.Path("relay")
start = f"'''exec' {{sys.executable}} \\"$0\\" \\"$@\\""
relay.write_text(f"#!/bin/sh\\n{{start}}\\n' '''\\n{{SEEN}}")
relay.chmod(0o755)
python = sys.executable

def run(*words, **how):
    sys.stdout.flush()
    print(subprocess.run(words, **how).returncode)

def spawn(call, *how, **more):
    sys.stdout.flush()
    print(os.waitpid(call(*how, **more), 0)[1])

run(python, "-c", SEEN, "a", "b")
run(python, "-W", "ignore", "-um", "seen", "a")
run(python, "seen.py", env={{}})
run(python, pathlib.Path("seen.py"), env={{"PYTHONPATH": "here:there", "A": "b"}})
run(python, "seen.py", env={{"A": "b", "PYTHONPATH": ""}})
run("./script", "a")
run("./relay", "a")
run(os.path.basename(python), "seen.py", env={{"PATH": os.path.dirname(python)}})
run("python3", "seen.py", executable=python, cwd=".")
run(python, "-", input=SEEN.encode())
run(python, "seen.py", preexec_fn=lambda: os.putenv("LATE", "1"))
run(python, "seen.py", preexec_fn=lambda: None, env={{"A": "b"}})
spawn(os.posix_spawn, python, [python, "seen.py"], os.environ)
other = {{b"A": "b", "PYTHONPATH": b"x"}}
spawn(os.posix_spawnp, python, [python, "seen.py"], other, setsid=True)
spawn(os.spawnv, os.P_NOWAIT, python, [python, "seen.py"])

def shell(line, **how):
    sys.stdout.flush()
    print(subprocess.run(line, shell=True, **how).returncode)

shell(f"{{python}} seen.py 'a b' $HOME")
shell(f"exec {{python}} -c 'import sys; sys.exit(3)'; env | grep PYTHON")
shell(f"{{python}} seen.py > /dev/null && env && false", env={{"A": "b"}})
shell(f"{{python}} seen.py | cat".encode(), env={{"A": "b", "PYTHONPATH": "it's"}})
shell(f"A=b {{python}} seen.py", env={{}})
shell("exit 5")

async def main():
    sys.stdout.flush()
    process = await asyncio.create_subprocess_exec(python, "seen.py")
    print(await process.wait())
asyncio.run(main())
print([name for name in os.environ if "TRACER" in name])
"""


def test_nothing_else_changes(tmp_path: Path) -> None:
    plain, traced = compare(script("spawned", STARTS), tmp_path)
    assert plain == traced
    trace = tmp_path / "out.pftrace"
    found = validate(trace.read_bytes())
    assert len(found.processes) == 1 + 21 + 1  # os.spawnv forks, and becomes another program
    model = build_model(read_trace(trace))
    told = [row.command.replace(sys.executable, "python") for row in children(model)]
    assert told == ["sh -c exit"]
    members = list(Family.of(model).members.values())
    assert {member.parent for member in members[1:] if member.origin != "exec"} == {0}
    assert {member.origin for member in members} == {"run", "spawn", "fork", "exec"}
    ends = [member.told.status for member in members[1:] if member.told]
    assert set(ends) == {0, 3}
    assert ends.count(0) >= 16  # a shell may or may not become its last program


REFUSED = """\
import os, pathlib, subprocess, sys
pathlib.Path("python9").write_text("#!/bin/sh\\n")
pathlib.Path("python9").chmod(0o755)
pathlib.Path("isolated").write_text(f"#!{sys.executable} -I\\n")
pathlib.Path("isolated").chmod(0o755)
for words in (
    [sys.executable, "-I", "-c", "pass"],
    [sys.executable, "-uW", "ignore", "-bS", "-c", "pass"],
    [sys.executable, "-Es", "-c", "pass"],
    [sys.executable, "-WI", "-XS", "-c", "E = -1", "-I"],
    ["./python9"],
    ["./isolated"],
    ["true"],
):
    subprocess.run(words)
"""


def test_why_not(record: Recorder) -> None:
    """A child that cannot record itself is in the trace, with the reason."""
    trace = record(REFUSED, options=("--no-cpu",))
    reasons = [event.args.get(s.ARG_REASON) for event in events(trace, s.SPAWN)]
    assert reasons == ["-I", "-S", "-E", None, "another Python", "-I", None]
    assert len(validate(trace.read_bytes()).processes) == 2
    assert ", 1 child process recorded, 6 child processes not recorded" in record.stderr
    said = record.tracer("report", str(trace)).stdout
    assert "(-I)" in " ".join(said.split())


POOLS = """\
import multiprocessing, os, sys, tracer
from concurrent.futures import ProcessPoolExecutor

def work(number):
    tracer.log(f"job {number}")
    return os.getpid()

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        print(len(set(pool.map(work, range(3)))))
    pool = context.Pool(1)
    print(len(set(pool.map(work, range(3, 6)))))
    pool.close()
    pool.join()
    process = context.Process(target=sys.exit, args=(3,), name="mine")
    process.start()
    process.join()
    print(process.exitcode)
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_multiprocessing(record: Recorder, method: str) -> None:
    """Its processes have the program's names and parents, and end as their parent is told."""
    trace = record(POOLS, method, options=("--no-cpu",))
    assert record.stdout == "1\n1\n3\n"
    found = validate(trace.read_bytes())
    assert has_ended(found)
    assert not folder(trace).exists()
    kind = {"spawn": "Spawn", "forkserver": "ForkServer"}[method]
    model = build_model(read_trace(trace))
    members = list(Family.of(model).members.values())[1:]
    assert [m.name for m in members] == [f"{kind}Process-1", f"{kind}PoolWorker-2", "mine"]
    assert {m.origin for m in members} == {method}
    assert {m.parent for m in members} == {0}
    assert [m.told and m.told.status for m in members] == [0, 0, 3]
    assert {f"job {number}" for number in range(6)} < set(found.names)
    assert "3 child processes recorded" in record.stderr
    assert children(model) == ()


CUSTOM = "import sys; print('customised', __name__, __file__, sys.argv, len(sys.path))"


def test_the_programs_own_sitecustomize(tmp_path: Path) -> None:
    """It runs, once, as if ours were not there; also one that fails."""
    for source in (CUSTOM, CUSTOM + "\n1/0"):
        case = script(
            "custom",
            "import subprocess, sys; print(subprocess.run([sys.executable, '-c', "
            "'import sitecustomize, sys; print(sitecustomize, sys.modules[\"sitecustomize\"])'"
            "], env={'PYTHONPATH': 'own'}).returncode)",
        )
        case.files["own/sitecustomize.py"] = source
        plain, traced = compare(case, tmp_path)
        assert plain == traced


CHAIN = """\
import os, sys
left = int(sys.argv[1]) if len(sys.argv) > 1 else 3
if left == 3:
    if os.fork() == 0:
        os._exit(1)
    os.wait()
if left:
    os.execv(sys.executable, [sys.executable, __file__, str(left - 1)])
print("last")
sys.exit(4)
"""


def test_the_first_process_becomes_others(record: Recorder) -> None:
    """All are in FILE, with the children of each; the last one says so."""
    trace = record(CHAIN, expect=4, options=("--no-cpu",))
    assert record.stdout == "last\n"
    model = build_model(read_trace(trace))
    members = list(Family.of(model).members.values())
    first = members[0].pid
    programs = [m for m in members if m.pid == first]
    assert [m.origin for m in programs] == ["run", "exec", "exec", "exec"]
    assert [m.parent for m in programs[1:]] == [m.process for m in programs[:-1]]
    assert not folder(trace).exists()
    (told,) = record.stderr.splitlines()
    assert f", 1 child process recorded -> {trace}." in told
    report = record.tracer("report", str(trace)).stdout
    assert "what it did from then on" not in report


def test_not_followed(record: Recorder) -> None:
    """Nothing is passed on."""
    source = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {SEEN!r}])"
    trace = record(source, options=("--no-follow",))
    assert len(validate(trace.read_bytes()).processes) == 1
    assert "TRACER" not in record.stdout
    assert not folder(trace).exists()


def test_no_more_files_than_allowed(record: Recorder) -> None:
    source = (
        "import subprocess, sys\nfor _ in range(3): subprocess.run([sys.executable, '-c', ''])"
    )
    trace = record(source, options=("--max-files", "2", "--no-cpu"))
    assert len(validate(trace.read_bytes()).processes) == 2
    assert ", 1 child process recorded, 2 child processes not recorded" in record.stderr


def test_a_changed_environment_does_not_last(record: Recorder) -> None:
    """A grandchild through a program that is no Python is not recorded, and finds nothing."""
    source = "import subprocess; subprocess.run(['env'])"
    trace = record(source)
    assert "TRACER" not in record.stdout
    assert os.environ.get("PYTHONPATH", "") == "" or str(trace) not in record.stdout


def test_arguments_left_out(record: Recorder) -> None:
    """--no-argv holds for children."""
    source = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'pass', 'mine'])"
    trace = record(source, options=("--no-argv", "--no-cpu"))
    assert [event.args[s.ARG_ARGV] for event in events(trace, s.RECORDING)][1] == "-c"
    assert b"mine" not in trace.read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")
def test_a_signal_while_it_begins(record: Recorder) -> None:
    """It is handled as if Python had started faster: none is lost, none ends it early."""
    source = """\
import signal, subprocess, sys
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "print('ran')"])
for _ in range(50):
    child.send_signal(signal.SIGUSR1)
print(child.wait())
"""
    record(source)
    assert sorted(record.stdout.split()) == ["0", "ran"]


OPEN = """\
import os
def is_open(fd):
    try:
        return bool(os.fstat(fd))
    except OSError:
        return False
print([fd for fd in range(os.sysconf("SC_OPEN_MAX")) if is_open(fd)])
"""
LIMITED = f"""\
import resource, subprocess, sys
limit = (512, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
resource.setrlimit(resource.RLIMIT_NOFILE, limit)
code = {OPEN!r} + "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
"""


HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@pytest.mark.skipif(0 <= HARD < 16_384, reason="needs a hard limit of 16,384 descriptors")
def test_descriptors(tmp_path: Path) -> None:
    """Ours are beyond those that a program can have, where the limit can be higher."""
    plain, traced = compare(script("descriptors", LIMITED), tmp_path)
    assert plain == traced
    assert len(validate((tmp_path / "out.pftrace").read_bytes()).processes) == 2


EVENTS = """\
import os
found = []
for fd in os.listdir("/proc/self/fd"):
    try:
        found.append(os.readlink("/proc/self/fd/" + fd))
    except OSError:
        pass
print(found.count("anon_inode:[perf_event]"))
"""
THREE = f"""\
import subprocess, sys
for _ in range(3):
    subprocess.run([sys.executable, "-c", {EVENTS!r}], check=True)
"""


def test_no_events_of_our_own_thread(record: Recorder) -> None:
    """A child asks the kernel for its one thread, not for ours that has just begun."""
    record(THREE)
    cpus = os.sysconf("SC_NPROCESSORS_CONF")
    counts = [int(count) for count in record.stdout.split()]
    assert len(counts) == 3
    assert max(counts) <= cpus


# What the family's folder keeps of modules while each child runs, and who may write it.
KEEPS = """\
import os, pathlib, subprocess, sys
code = \"\"\"
import os, pathlib, stat, sys
for path in sorted(pathlib.Path(sys.argv[1]).glob("modules.*")):
    about = path.stat()
    print(about.st_ino, stat.filemode(about.st_mode))
\"\"\"
for _ in range(3):
    subprocess.run([sys.executable, "-c", code, "a.pftrace.d"], check=True)
kept, = pathlib.Path("a.pftrace.d").glob("modules.*")
for damage in (b"", b"no modules", kept.read_bytes()[:-1]):
    kept.write_bytes(damage)
    subprocess.run([sys.executable, "-c", "pass"], check=True)
"""


def test_modules_that_are_not_compiled(tmp_path: Path) -> None:
    """The first child keeps what it compiles for the others, until the family has ended."""
    root = Path(__file__).parents[3]
    for package in ("tracer", "viewer"):
        no_caches = shutil.ignore_patterns("__pycache__", "static")
        shutil.copytree(root / package, tmp_path / package, ignore=no_caches)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tracer",
            "run",
            "--no-profile",
            "-o",
            "a.pftrace",
            "-c",
            KEEPS,
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PROGRAM_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert len({*lines}) == 1, "it was written once"
    assert lines[0].endswith("-rw-------")
    assert len(validate((tmp_path / "a.pftrace").read_bytes()).processes) == 7
    assert not (tmp_path / "a.pftrace.d").exists()
    assert not [*tmp_path.glob("**/__pycache__")]
