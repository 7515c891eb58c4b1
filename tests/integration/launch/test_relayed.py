"""A Python that a shell, another program or uvloop starts records itself, or the trace says
why not; nothing else changes for the program."""

import sys
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.family import events, has_ended
from tests.support.launching import compare, script
from tests.support.loops import needs_uvloop
from tests.support.validator.rules import validate
from tracer import schema as s
from viewer.analysis.children import children
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.broad

SEEN = """\
import os, sys
print(sys.argv, [i for i in os.environ.items() if i[0][:2] in ("A", "LA", "PY", "TR")])
"""
HEAD = f"""\
import os, pathlib, subprocess, sys
pathlib.Path("seen.py").write_text({SEEN!r})
python = sys.executable
os.environ.pop("PYTHONPATH", None)

def run(*words, **how):
    sys.stdout.flush()
    print(subprocess.run(words, **how).returncode)

def system(line, call=os.system):
    sys.stdout.flush()
    print(call(line))
"""
FOLLOWED = (
    HEAD
    + """
run("env", "A=b", python, "seen.py")
run("env", "-u", "A", python, "seen.py", env={"A": "b"})
run("nice", "-n", "1", python, "seen.py")
run("nice", "-1", python, "seen.py")
run("timeout", "--signal=INT", "-k", "60", "600", python, "seen.py")
run("nohup", "--", python, "seen.py", stdin=subprocess.DEVNULL)
run("nice", "env", "A=b", "timeout", "600", python, "-X", "dev", "seen.py")
system(f"{python} seen.py")
system(call=lambda line: os.system(command=line), line=f"exec {python} seen.py 'a b'")
system(f"{python} seen.py".encode())
system(f"A=b {python} seen.py; exit 3")
system(f"cd . && nice {python} seen.py 2>&1")
system(f"echo 'a; b' | {python} seen.py")
system(f"true; {python} -c 'import sys; sys.exit(4)'")
print(os.popen(f"{python} seen.py").read())
"""
)


def test_followed(tmp_path: Path) -> None:
    """Each is recorded, and the program finds what it would find without us."""
    plain, traced = compare(script("relayed", FOLLOWED), tmp_path)
    assert plain == traced
    trace = tmp_path / "out.pftrace"
    found = validate(trace.read_bytes())
    spawns = events(trace, s.SPAWN)
    assert [event.args.get(s.ARG_FOLLOWED) for event in spawns] == [1] * 15
    assert len(found.processes) == 1 + 15
    assert has_ended(found)
    commands = [str(event.args[s.ARG_COMMAND]) for event in spawns]
    name = Path(sys.executable).name
    assert commands[0] == f"env {name} seen.py"
    assert commands[6] == f"nice env timeout {name} seen.py"


REFUSED = {
    "a cleaned environment": ["env -i {} seen.py", "env -u PYTHONPATH {} seen.py"],
    "an environment that env changes": ["env PYTHONPATH=here {} seen.py"],
    "started by env": ["env --chdir . {} seen.py"],
    "started by xargs": ["xargs {} seen.py < seen.py", "xargs -d true {} seen.py < seen.py"],
    "a shell's script": ["./script", "sh script"],
    "a shell's line": [
        "for i in 1 2; do {} seen.py; done",
        "(cd . && {} seen.py)",
        "if true; then {} seen.py; fi",
        ": $({} seen.py)",
        "true && for i in 1; do nice -n 1 {} seen.py; done",
        "if true; then ./tool; fi",
    ],
    "a shell's line with PYTHONPATH": ["export PYTHONPATH=here && {} seen.py"],
    "-I": ["nice {} -I seen.py", "cd . && {} -I seen.py"],
    "": [
        "echo {}",
        "# {} seen.py",
        "echo '; {}'",
        "true",
        "ls {} > /dev/null",
        "xargs ls {} < /dev/null > /dev/null",
    ],
}
LINES = [line for lines in REFUSED.values() for line in lines]


def test_why_not(tmp_path: Path) -> None:
    """The reason is in the trace; where no Python is plain, nothing is said."""
    source = (
        HEAD
        + """
script = pathlib.Path("script")
script.write_text(f"#!/bin/sh -e\\n# python\\nA=b\\nexec {python} seen.py\\n")
script.chmod(0o755)
tool = pathlib.Path("tool")
tool.write_text(f"#!{python}\\nprint(1)\\n")
tool.chmod(0o755)
"""
        + f"for line in {LINES!r}: system(line.replace('{{}}', python))\n"
        + "run('./script')\nrun('sh', 'script')\nrun('bash', '-ec', f'{python} seen.py')\n"
    )
    plain, traced = compare(script("unreached", source), tmp_path)
    assert plain == traced
    spawns = events(tmp_path / "out.pftrace", s.SPAWN)
    expected = [reason for reason, lines in REFUSED.items() for _ in lines]
    expected += ["a shell's script", "a shell's script", "a shell's line"]
    assert [event.args.get(s.ARG_REASON, "") for event in spawns] == expected
    assert not any(event.args.get(s.ARG_FOLLOWED) for event in spawns)


SEVERAL = (
    HEAD
    + """
pathlib.Path("broken").write_text("#!./python9\\n")
pathlib.Path("broken").chmod(0o755)
system(f"{python} seen.py && {python} seen.py")
system(f"{python} seen.py | {python} -c 'print(input())'")
system(f"{python} seen.py && echo {python}")
try:
    os.posix_spawn("broken", ["broken"], os.environ)
except OSError as error:
    print(error)
subprocess.run(["true"])
"""
)


def test_another_python_of_the_same_line(tmp_path: Path) -> None:
    """One is recorded, and the trace says that another is not. What is said of a program that
    cannot be started is not said of the next."""
    plain, traced = compare(script("several", SEVERAL), tmp_path)
    assert plain == traced
    trace = tmp_path / "out.pftrace"
    spawns = events(trace, s.SPAWN)
    said = [(e.args.get(s.ARG_FOLLOWED), e.args.get(s.ARG_REASON)) for e in spawns]
    another = (1, "another Python of the shell's line")
    assert said == [another, another, (1, None), (None, None)]
    row = children(build_model(read_trace(trace)))[0]
    assert (row.reason, row.count) == ("another Python of the shell's line", 2)


TAKEN = """\
import os, sys
if sys.argv[1:] != ["last"]:
    words = sys.argv[1].split() + [sys.executable, __file__, "last"]
    os.execvp(words[0], words)
print("last")
"""


def test_exec_through_another(record: Recorder) -> None:
    """One that becomes Python in its turn goes on; of one that starts it as a child, not."""
    trace = record(TAKEN, "nice env A=b", options=("--no-cpu",))
    assert [e.args[s.ARG_ORIGIN] for e in events(trace, s.RECORDING)] == ["run", "exec"]
    trace = record(TAKEN, "timeout 600", options=("--no-cpu",))
    assert [e.args.get(s.ARG_REASON) for e in events(trace, s.EXEC)] == ["started by timeout"]


LOOP = """\
import asyncio, os, subprocess, sys, uvloop
python = sys.executable
code = "import os; print([i for i in os.environ.items() if i[0][:2] in ('A', 'LA', 'TR')])"

async def run(*words, **how):
    sys.stdout.flush()
    process = await asyncio.create_subprocess_exec(*words, **how)
    print(await process.communicate(), process.returncode)

async def main():
    await run(python, "-c", code)
    await run(python, "-c", code, env={"A": "b"}, stdout=subprocess.PIPE)
    folder, name = os.path.split(python)
    await run(name, "-c", code, env={"A": "b", "PATH": folder})
    await run(f"./{name}", "-c", code, cwd=folder)
    await run("nice", python, "-c", code)
    await run(python, "-c", code, preexec_fn=lambda: os.putenv("LATE", "1"))
    sys.stdout.flush()
    process = await asyncio.create_subprocess_shell(f"{python} -c 'print(1)'; exit 4")
    print(await process.wait())
    await run(python, "-I", "-c", code)
    await run("true")
    try:
        await run("/nowhere/python3")
    except OSError as error:
        print(error)

uvloop.run(main())
"""


@needs_uvloop
def test_of_uvloop(tmp_path: Path) -> None:
    """libuv forks in C; its children are followed all the same."""
    plain, traced = compare(script("uvloop_children", LOOP), tmp_path)
    assert plain == traced
    trace = tmp_path / "out.pftrace"
    spawns = events(trace, s.SPAWN)
    assert [e.args.get(s.ARG_FOLLOWED) for e in spawns] == [1] * 7 + [None] * 2
    assert [e.args.get(s.ARG_REASON) for e in spawns[7:]] == ["-I", None]
    assert len(validate(trace.read_bytes()).processes) == 1 + 7


READ_BY_THE_CHILD = """\
import collections, os, subprocess, sys, threading
os.mkfifo("script")
TEXT = f"{sys.executable} -c 'print(1)'; echo 2\\n"
writer = threading.Thread(target=lambda: open("script", "w").write(TEXT))
writer.start()
run = lambda words, **how: print(subprocess.run(words, capture_output=True, **how), flush=True)
run(["sh", "script"])
writer.join()
run(["sh", "/dev/stdin"], input=TEXT.encode())
environment = collections.ChainMap({"A": "b", "PYTHONPATH": "own"}, os.environ)
line = f"cd . && {sys.executable} -c 'import sys; print(\\"own\\" in sys.path[1])'"
run(line, shell=True, env=environment)
try:
    pid = os.posix_spawn("/bin/true", ["true"], None)
    print(os.waitpid(pid, 0)[1])
except TypeError as error:
    print(error)
"""


def test_what_is_the_childs_stays_the_childs(tmp_path: Path) -> None:
    """A script that comes through a pipe is not read before; an environment that is no dict
    is left alone, and so is one that this Python refuses."""
    plain, traced = compare(script("relayed", READ_BY_THE_CHILD), tmp_path)
    assert plain == traced
    assert plain.stdout.count("returncode=0") == 3
