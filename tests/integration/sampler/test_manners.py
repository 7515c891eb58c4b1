"""The sampler's signal and timers beside what the program does with signals of its own."""

import signal

import pytest

from tests.conftest import Recorder
from tests.support.programs.cpu_work import WORK
from tests.support.validator.strict import read_strict
from tracer import schema as s


@pytest.mark.default(
    "own ITIMER_PROF", "all signals to default", "no handler to be seen", "fork"
)
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            "import signal\nhits = []\n"
            "signal.signal(signal.SIGPROF, lambda *_: hits.append(1))\n"
            "signal.setitimer(signal.ITIMER_PROF, 0.01, 0.01)\npure(0.3)\n"
            "signal.setitimer(signal.ITIMER_PROF, 0)\nprint(len(hits) > 5)",
            id="own ITIMER_PROF",
        ),
        pytest.param(
            "import cProfile, pstats\np = cProfile.Profile()\np.runcall(pure, 0.1)\n"
            "print('pure' in {k[2] for k in p.getstats() and pstats.Stats(p).stats})",
            id="cProfile",
        ),
        pytest.param(
            "import signal\nfor n in signal.valid_signals():\n"
            "    try: signal.signal(n, signal.SIG_DFL)\n"
            "    except (OSError, ValueError): pass\npure(0.3)\nprint(True)",
            id="all signals to default",
        ),
        pytest.param(
            "import signal\nprint(all(signal.getsignal(n) in (signal.SIG_DFL, signal.SIG_IGN,"
            " None, signal.default_int_handler) for n in signal.valid_signals()))",
            id="no handler to be seen",
        ),
        pytest.param(
            "import os\npid = os.fork()\npure(0.3)\nif not pid: os._exit(0)\n"
            "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0)",
            id="fork",
        ),
        pytest.param(
            "import os\npure(0.1)\nos.execv(sys.executable, [sys.executable, '-c', "
            "'for i in range(3000000): pass\\nprint(True)'])",
            id="exec",
        ),
        pytest.param(
            "import subprocess\nprint(all(subprocess.run([sys.executable, '-c', "
            "'for i in range(2000000): pass']).returncode == 0 for _ in range(3)))",
            id="subprocess",
        ),
        pytest.param(
            "import faulthandler, io, os, signal, tempfile\n"
            "out = tempfile.TemporaryFile()\nfaulthandler.enable(out)\n"
            "faulthandler.register(signal.SIGUSR1, out)\n"
            "faulthandler.dump_traceback_later(0.2, file=out)\n"
            "for _ in range(50): pure(0.01); os.kill(os.getpid(), signal.SIGUSR1)\n"
            "out.seek(0)\ntext = out.read()\n"
            "print(text.count(b'Current thread') == 50 and b'Timeout' in text)",
            id="faulthandler",
        ),
        pytest.param(
            "import os, signal\nr, w = os.pipe()\nos.set_blocking(r, False)\n"
            "os.set_blocking(w, False)\nsignal.set_wakeup_fd(w)\npure(0.3)\n"
            "try: print(os.read(r, 1))\nexcept BlockingIOError: print(True)",
            id="set_wakeup_fd",
        ),
        pytest.param(
            "import select\nbefore = time.monotonic()\nr, w = __import__('os').pipe()\n"
            "select.select([r], [], [], 0.2)\ntime.sleep(0.1)\n"
            "print(time.monotonic() - before >= 0.3)",
            id="blocking calls",
        ),
    ],
)
def test_manners(record: Recorder, source: str) -> None:
    """Programs with their own signals, timers, profilers and processes behave as usual."""
    record(WORK + source, options=("--cpu-hz", "1000"))
    assert record.stdout == "True\n"


def test_a_signal_of_ours_by_somebody_else(record: Recorder) -> None:
    """A stray signal with the sampler's number kills, just as it does without us."""
    source = (
        "import ctypes, signal, os\n"
        "caught = open('/proc/self/status').read().split('SigCgt:')[1].split()[0]\n"
        "ours = max(n for n in range(1, 65) if int(caught, 16) >> (n - 1) & 1)\n"
        "assert ours > signal.SIGRTMIN\nos.kill(os.getpid(), ours)\ntime.sleep(5)\n"
    )
    number = signal.SIGRTMAX - 2
    record(WORK + source, expect=-number)


OURS = """
import ctypes, signal
caught = open('/proc/self/status').read().split('SigCgt:')[1].split()[0]
ours = max(n for n in range(1, 65) if int(caught, 16) >> (n - 1) & 1)
"""


@pytest.mark.broad
def test_a_library_takes_the_signal(record: Recorder) -> None:
    """If C code replaces our handler with its own, our timers soon stop signalling it, and
    the trace says why there are no samples."""
    trace = record(
        WORK
        + OURS
        + "ignore = ctypes.c_void_p(signal.SIG_IGN.value)\n"
        + "libc = ctypes.CDLL(None)\n"
        + "libc.signal.argtypes = ctypes.c_int, ctypes.c_void_p\n"
        + "libc.signal(ours, ignore)\npure(0.6)\n"
        + "hits = []\nsignal.signal(ours, lambda *_: hits.append(1))\npure(0.1)\nprint(hits)",
        options=("--cpu-hz", "1000"),
    )
    assert record.stdout == "[]\n"  # no timer is left
    assert (s.HOOK_DISABLED, "cpu") in {
        (event.name, event.args.get("hook"))
        for event in read_strict(trace.read_bytes()).events
    }


def test_no_timer_to_be_had(record: Recorder) -> None:
    """Threads beyond the limit of queued signals still show their time, and the reason."""
    trace = record(
        WORK
        + "import resource\n"
        + "resource.setrlimit(resource.RLIMIT_SIGPENDING, (0, 0))\n"
        + "thread = threading.Thread(target=pure, args=(0.8,))\n"
        + "thread.start()\nthread.join()\n",
        options=("--cpu-hz", "1000"),
    )
    told = read_strict(trace.read_bytes())
    reasons = [event.args.get("reason") for event in told.events if event.name == s.NOTE]
    assert "threads not sampled, since the system had no timer for them: 1" in reasons
    assert sum(each.leaf == s.FRAME_UNSAMPLED for each in told.samples) > 300
