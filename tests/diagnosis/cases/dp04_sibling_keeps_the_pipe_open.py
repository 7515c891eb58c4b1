"""A process that is forked later inherits the pipe to a filter, which therefore never sees the end of its input
(https://github.com/confluentinc/ducktape/pull/140).
truth: main closes the filter's stdin and waits for it in `finish`; the filter reads on, since the worker process `agent`, forked in between,
has the write end, too. 1.5 s, until the agent ends.
wanted: MainThread waited 1.5 s in `finish` for the filter, which still reads its input: the process `agent`, started in `main`, has the pipe, too."""
import multiprocessing
import subprocess
import sys
import time

FILTER = "import sys; sys.stdout.write(str(len(sys.stdin.read())))"


def agent():
    for _ in range(15):
        time.sleep(0.1)


def finish(child):
    child.stdin.close()
    return child.wait()


def main():
    child = subprocess.Popen([sys.executable, "-S", "-c", FILTER], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    child.stdin.write(b"line\n" * 1000)
    child.stdin.flush()
    helper = multiprocessing.get_context("fork").Process(target=agent, name="agent")
    helper.start()
    began = time.monotonic()
    finish(child)
    print("truth: the filter ended %.1f s after its input was closed" % (time.monotonic() - began))
    helper.join()


if __name__ == "__main__":
    main()
